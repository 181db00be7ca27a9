"""The examples of what an adapter may learn besides a text: the call of a tool, and a label."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest

from liftgate.access import apply_access
from liftgate.config.reading import read_adapter, read_knowledge_base
from liftgate.evaluation.evaluate import evaluate
from liftgate.evaluation.families import Families
from liftgate.evaluation.plain_text import quote_stands
from liftgate.evaluation.questions import Question, crossing_families, family_problems, read_questions
from liftgate.evaluation.retrieve_for_questions import retrieve_for_questions
from liftgate.indexing import close_generation, index_changes
from liftgate.plan import plan_changes
from liftgate.prompts import read_prompt
from liftgate.releases import promotion
from liftgate.releases.propose import propose_candidate
from liftgate.runs import Allowances, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate.sources.listing import list_sources
from liftgate.training.tuning_set import Example, build_tuning_set, read_examples
from liftgate.turns import release_turn, take_turn
from liftgate.validation.steps import validate_chunks, validate_tuning_set

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("tool_calls", "labels")
FORMS = {"tool_calls": "call", "labels": "label"}
EACH_ITS_OWN = Families({})


def golden(name: str) -> list[Question]:
    return read_questions(EXAMPLES / name / "questions.jsonl")


def tuning(name: str) -> list[Example]:
    return read_examples(EXAMPLES / name / "tuning_examples.jsonl")


def promoted(runtime: Runtime, folder: Path) -> None:
    """A whole run of the knowledge base that ends with its first release live, by its own gate."""
    run = freeze_configuration(
        runtime, folder / "knowledge_bases" / f"{folder.name}.yaml", f"kb_{folder.name}:run", Scope(), Allowances()
    )
    list_sources(runtime, run)
    apply_access(runtime, run)
    take_turn(runtime, run)
    for batch in plan_changes(runtime, run):
        index_changes(runtime, run, batch)
    close_generation(runtime, run)
    release_turn(runtime, run)
    validate_chunks(runtime, run)
    candidate = propose_candidate(runtime, run)
    assert evaluate(runtime, run, retrieve_for_questions(runtime, run, candidate)) == "promote"
    promotion.promote(runtime, run.kb, candidate, by="test", run_id=run.run_id)


@pytest.mark.parametrize("name", NAMES)
def test_its_files_are_valid_and_its_gate_judges_what_its_questions_expect(name: str) -> None:
    adapter = read_adapter(EXAMPLES / name / "adapters" / f"{name}.yaml")
    base = read_knowledge_base(adapter.knowledge_base)
    assert (base.name, Path(base.questions.file).resolve()) == (name, EXAMPLES / name / "questions.jsonl")
    assert adapter.gate.kpi == {"tool_calls": "tool_arguments", "labels": "label_match"}[name]
    form = FORMS[name]
    assert all(getattr(question, form) for question in golden(name) if question.answerable)
    assert {example.form for example in tuning(name) if example.expected == "answer"} == {form}


@pytest.mark.parametrize("name", NAMES)
def test_questions_and_tuning_examples_share_no_family_and_quote_their_documents(name: str) -> None:
    asked: list[Any] = [*golden(name), *tuning(name)]
    assert crossing_families(golden(name), asked[len(golden(name)) :], EACH_ITS_OWN) == []
    assert family_problems(asked, EACH_ITS_OWN) == []
    assert max(Counter(one.id for one in asked).values()) == 1
    for one in asked:
        texts = [(EXAMPLES / name / "documents" / uri).read_text() for uri in one.sources]
        assert not one.sources or quote_stands(one.quote, "\n".join(texts)), one.id


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_enough_for_the_suite_and_families_for_the_margins(name: str) -> None:
    refusals = sum(example.expected == "refuse" for example in tuning(name))
    assert len(tuning(name)) >= 40
    assert refusals / len(tuning(name)) == 0.25
    assert len({question.family for question in golden(name) if question.answerable}) >= 14


def test_every_tool_is_in_the_prompt_and_in_both_files() -> None:
    prompt = read_prompt(EXAMPLES / "tool_calls" / "prompts" / "answer.md").text
    for file in (golden("tool_calls"), tuning("tool_calls")):
        calls = [one.call for one in file if one.call]
        assert {call.name for call in calls} == {"book_room", "reserve_car", "borrow_item"}
        for call in calls:
            line = next(line for line in prompt.splitlines() if line.startswith(f"{call.name}:"))
            assert all(f'"{argument}":' in line for argument in call.arguments)


def test_every_label_is_in_the_prompt_and_in_both_files() -> None:
    prompt = read_prompt(EXAMPLES / "labels" / "prompts" / "answer.md").text
    listed = next(line for line in prompt.splitlines() if set(line) <= set(ascii_lowercase + "_, ") and "," in line)
    for file in (golden("labels"), tuning("labels")):
        assert {one.label for one in file if one.label} == set(listed.split(", "))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_tuning_set_is_built_whole_on_a_release_that_the_gate_let_live(
    runtime: Runtime, tmp_path: Path, name: str
) -> None:
    """With the real embedder: what each example is about is found, and no golden document."""
    folder = Path(shutil.copytree(EXAMPLES / name, tmp_path / name))
    promoted(runtime, folder)
    file = folder / "adapters" / f"{name}.yaml"
    run = freeze_configuration(runtime, file, f"adapter_{name}:run", Scope(), Allowances())
    digest = build_tuning_set(runtime, run)
    rows = [json.loads(line) for line in (runtime.files / "tuning_sets" / digest / "checked.jsonl").open()]
    used = {entry["uri"] for row in rows for entry in row["lineage"]}
    assert {row["id"] for row in rows} == {example.id for example in tuning(name)}
    validate_tuning_set(runtime, run, digest)
    assert not used & {uri for question in golden(name) for uri in question.sources}
