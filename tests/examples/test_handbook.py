"""The example handbook keeps what the demo and the statistics of its gate rest on."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from functools import cache
from pathlib import Path, PurePosixPath
from string import Template
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from liftgate.config.access import Access, AccessRule
from liftgate.evaluation.families import read_families
from liftgate.evaluation.plain_text import comparable, plain_text, quote_stands
from liftgate.evaluation.questions import Question, crossing_families, family_problems, read_questions
from liftgate.sources.connections import connection_from_environment
from liftgate.sources.kinds.folder import Folder
from liftgate.sources.source import Source

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"
DOCUMENTS = HANDBOOK / "documents"
GOLDEN = read_questions(HANDBOOK / "questions.jsonl")
TUNING = read_questions(HANDBOOK / "tuning_questions.jsonl")
FAMILIES = read_families(HANDBOOK / "families.yaml")
RESTRICTED = {"finance", "hr", "security", "leadership"}
LONGEST_QUOTE_WORDS = 14
KINDS = ("answer", "refuse")
LONGEST_SUMMARY_WORDS = 30


@cache
def examples() -> list[dict[str, Any]]:
    lines = (HANDBOOK / "tuning_examples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@cache
def access(*first: AccessRule) -> Access:
    rules = yaml.safe_load((HANDBOOK / "access.yaml").read_text(encoding="utf-8"))
    return Access.model_validate({**rules, "rules": [*first, *rules["rules"]]})


def groups_below(folder: Path, rules: Access) -> dict[str, set[str]]:
    source = Source(
        Folder.model_construct(name="documents", path=str(folder), include=("**/*",)),
        rules,
        connection_from_environment,
    )
    return {listed.uri: set(listed.groups) for listed in source.list()}


@cache
def groups() -> dict[str, set[str]]:
    return groups_below(DOCUMENTS, access())


@cache
def text(uri: str) -> str:
    return plain_text(uri, (DOCUMENTS / uri).read_bytes())


@cache
def changes() -> dict[str, list[dict[str, Any]]]:
    steps: dict[str, list[dict[str, Any]]] = yaml.safe_load((HANDBOOK / "changes" / "changes.yaml").read_text())
    return steps


def answered(questions: list[Question]) -> list[Question]:
    return [question for question in questions if question.answerable]


def test_documents_are_many_in_four_formats_and_in_access_groups() -> None:
    formats = Counter(PurePosixPath(uri).suffix for uri in groups())
    assert sum(formats.values()) >= 104
    assert formats[".md"] >= 60
    assert formats[".txt"] >= 20
    assert formats[".html"] >= 15
    assert formats[".pdf"] >= 10
    assert set().union(*groups().values()) == {"staff"} | RESTRICTED


def test_every_document_has_headings_and_the_length_of_a_page() -> None:
    for uri in groups():
        words = len(comparable(text(uri)).split())
        assert 75 <= words <= 300, uri
        if uri.endswith(".md"):
            assert text(uri).startswith("# "), uri


def test_every_document_belongs_to_one_family() -> None:
    assert FAMILIES.claimed_twice(list(groups())) == []
    assert [uri for uri in groups() if FAMILIES.of(uri) == uri] == []
    assert sum(len(uris) > 1 for uris in FAMILIES.patterns.values()) >= 20


def test_golden_questions_are_as_many_as_the_gate_needs() -> None:
    answerable = answered(GOLDEN)
    why = Counter(question.why for question in GOLDEN if not question.answerable)
    assert len(GOLDEN) >= 240
    assert len(answerable) >= 170
    assert len({question.family for question in answerable}) >= 72
    assert why["absent"] >= 35
    assert why["hidden"] >= 35


def test_answers_are_judged_on_a_stratified_part() -> None:
    assert all("retrieval" in question.judged for question in GOLDEN)
    judged = [question for question in GOLDEN if "answers" in question.judged]
    answerable = answered(judged)
    refused = Counter(question.why for question in judged if not question.answerable)
    assert len(answerable) == 100
    assert len({question.family for question in answerable}) >= 60
    assert refused == {"absent": 20, "hidden": 20}
    assert {question.slices[0] for question in answerable} == {question.slices[0] for question in answered(GOLDEN)}
    assert {question.slices[1] for question in answerable} == {"md", "txt", "html", "pdf"}


@pytest.mark.parametrize("question", [*GOLDEN, *TUNING], ids=lambda question: question.id)
def test_question_fits_its_sources_and_its_asker(question: Question) -> None:
    readable = [bool(groups()[uri] & set(question.groups)) for uri in question.sources]
    if not question.answerable:
        assert bool(question.sources) == (question.why == "hidden")
        assert not any(readable)
        assert question.quote == ""
        return
    assert readable
    assert all(readable)
    found = "\n".join(text(uri) for uri in question.sources)
    assert quote_stands(question.quote, found)
    assert len(question.quote.split()) <= LONGEST_QUOTE_WORDS
    assert 1 <= len(question.must_contain) <= 3
    assert all(quote_stands(variants[0], found) for variants in question.must_contain)


def test_questions_are_not_worded_like_their_quotes() -> None:
    for question in answered(GOLDEN):
        assert not quote_stands(question.quote, question.question)
        assert not all(quote_stands(variants[0], question.question) for variants in question.must_contain), question.id


def test_ids_are_unique_across_the_files() -> None:
    ids = [question.id for question in [*GOLDEN, *TUNING]] + [example["id"] for example in examples()]
    assert len(ids) == len(set(ids))
    asked = [question.question for question in [*GOLDEN, *TUNING]] + [item["question"] for item in examples()]
    # One question may be asked by somebody who may read the answer and by somebody who may not.
    assert max(Counter(asked).values()) <= 2


def test_families_do_not_cross_between_tuning_and_questions() -> None:
    sourced: list[Any] = [SimpleNamespace(**{"sources": [], **example}) for example in examples()]
    assert crossing_families(GOLDEN, [*TUNING, *sourced], FAMILIES) == []
    assert family_problems([*GOLDEN, *TUNING, *sourced], FAMILIES) == []
    named = {question.family for question in [*GOLDEN, *TUNING]} | {item["family"] for item in examples()}
    assert named <= set(FAMILIES.patterns)


def test_tuning_questions_are_half_refusals() -> None:
    assert len(answered(TUNING)) >= 30
    assert sum(not question.answerable for question in TUNING) >= 30


def test_a_quarter_of_the_tuning_examples_are_refusals() -> None:
    expected = Counter(example["expected"] for example in examples())
    assert expected["answer"] + expected["refuse"] == len(examples()) >= 160
    assert 0.22 <= expected["refuse"] / len(examples()) <= 0.3


def test_tuning_examples_state_a_fact_of_an_open_document_in_its_own_words() -> None:
    for example in examples():
        if example["expected"] == "refuse":
            continue
        output = example["output"]
        assert set(output) == {"summary", "risk", "next_steps"}
        assert len(output["summary"].split()) <= LONGEST_SUMMARY_WORDS
        assert 1 <= len(output["next_steps"]) <= 2
        assert example["sources"]
        for uri in example["sources"]:
            assert groups()[uri] == {"staff"}
            assert quote_stands(example["quote"], text(uri)), example["id"]
            assert quote_stands(output["summary"].rstrip("."), text(uri)), example["id"]


def test_refusals_of_the_tuning_examples_are_asked_like_the_answered_ones() -> None:
    """Else a model learns to refuse by the form of the question: at first most refusals were asked with yes or no."""
    first = {kind: Counter(e["question"].split()[0] for e in examples() if e["expected"] == kind) for kind in KINDS}
    for word in ("How", "When", "What"):
        share = {kind: first[kind][word] / first[kind].total() for kind in KINDS}
        assert abs(share["answer"] - share["refuse"]) <= 0.1, (word, share)


def test_prompt_names_the_schema_the_refusal_and_its_placeholders() -> None:
    front, body = prompt_parts()
    assert set(Template(body).get_identifiers()) == {"context", "question"}
    for needed in ("summary", "risk", "next_steps", "citations", "[string]", front["refusal"]):
        assert needed in body


def test_changes_name_documents_that_exist_and_set_one_question_aside(tmp_path: Path) -> None:
    after = tmp_path / "documents"
    shutil.copytree(DOCUMENTS, after)
    rules = apply_all(after)
    found = groups_below(after, rules)
    lost = [question.id for question in GOLDEN if not still_stands(question, after, found)]
    assert len(lost) == 1


def test_first_changes_are_one_of_each_kind() -> None:
    kinds = Counter(change["kind"] for change in changes()["first"])
    assert kinds == {"edit": 1, "rename": 1, "delete": 1, "add": 1, "narrow": 1}
    assert all(change["kind"] == "edit" for step in ("second", "third") for change in changes()[step])


def prompt_parts() -> tuple[dict[str, str], str]:
    _, front, body = (HANDBOOK / "prompts" / "answer.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


def apply_all(folder: Path) -> Access:
    """Carry out every listed change in a copy of the documents, and return the rules that hold afterwards."""
    narrowed = []
    for change in [change for step in changes().values() for change in step]:
        path = folder / change["uri"]
        assert path.exists() != (change["kind"] == "add")
        match change["kind"]:
            case "edit" | "add":
                new = (HANDBOOK / "changes" / change["file"]).read_bytes()
                assert not path.exists() or path.read_bytes() != new
                path.write_bytes(new)
            case "rename":
                path.rename(folder / change["to"])
            case "delete":
                path.unlink()
            case "narrow":
                narrowed.append(AccessRule(path=change["uri"], groups=tuple(change["groups"])))
    return access(*narrowed)


def still_stands(question: Question, folder: Path, found: dict[str, set[str]]) -> bool:
    """Is the question's source still there, readable as the question expects, with its quote?"""
    for uri in question.sources:
        if uri not in found or bool(found[uri] & set(question.groups)) != question.answerable:
            return False
        if question.quote and not quote_stands(question.quote, plain_text(uri, (folder / uri).read_bytes())):
            return False
    return True
