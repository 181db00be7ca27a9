from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from liftgate.errors import ConfigurationError, PromotionRefused
from liftgate.evaluation.questions import read_questions
from liftgate.runs import Allowances, Run, Scope, freeze_configuration
from liftgate.training.tuning_set import build_tuning_set, read_examples

TRAINING = {"open_groups": ["staff"], "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def example(name: str, source: str, quote: str = "burns all night", **more: Any) -> dict[str, Any]:
    output = {"summary": f"The {name} lamp burns.", "risk": "none", "next_steps": ["Look."]}
    asked = {"id": name, "question": f"Which {name} lamp burns?", "family": source, "groups": ["staff", "board"]}
    return {**asked, "expected": "answer", "sources": [source], "quote": quote, "output": output, **more}


REFUSAL = example("fifth", "lamp-1.md", expected="refuse", sources=[], quote="", output=None)


@pytest.fixture
def lamps(judged: Any) -> Any:
    """A live release that holds documents no golden question is about, and an adapter's file."""
    for number, name in enumerate(("first", "second")):
        judged.write(f"lamp-{number}.md", f"# Lamp\n\nThe {name} lamp burns all night.\n")
    judged.write("secret/lamp.md", "# Lamp\n\nThe third lamp burns all night.\n")
    assert judged.whole_run() == (2, "promote")
    (judged.folder / "adapters").mkdir()
    return judged


def write(lamps: Any, *examples: dict[str, Any], note: str | None = None, **training: Any) -> Run:
    """The files of an adapter, and a run about it."""
    (lamps.folder / "examples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in examples))
    path = lamps.folder / "adapters" / "small.yaml"
    files = {"knowledge_base": "../knowledge_bases/small.yaml", "examples": "../examples.jsonl"}
    content = {"name": "small", **files, "dataset_revision": note, "training": {**TRAINING, **training}}
    path.write_text(yaml.safe_dump(content))
    lamps.runs += 1
    return freeze_configuration(lamps.runtime, path, f"adapter_small:run-{lamps.runs}", Scope(), Allowances())


def built(lamps: Any, *examples: dict[str, Any], **training: Any) -> list[dict[str, Any]]:
    """What the suite looks at, one row for each example that was taken."""
    digest = build_tuning_set(lamps.runtime, write(lamps, *examples, **training))
    lines = (folder(lamps, digest) / "checked.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def folder(lamps: Any, digest: str) -> Path:
    found: Path = lamps.runtime.files / "tuning_sets" / digest
    return found


def left_out(lamps: Any) -> dict[str, int]:
    found: dict[str, int] = lamps.query("SELECT counts -> 'left_out' AS n FROM tuning_sets ORDER BY created_at DESC")[
        0
    ]["n"]
    return found


def test_example_is_a_prompt_with_retrieved_context_and_the_answer_that_is_wanted(lamps: Any) -> None:
    (row,) = built(lamps, example("first", "lamp-0.md"))
    asked, answer = row["messages"]
    assert asked["content"].endswith("Which first lamp burns?")
    assert "[doc:lamp-0.md]" in asked["content"]
    assert json.loads(answer["content"]) == {
        "summary": "The first lamp burns.",
        "risk": "none",
        "next_steps": ["Look."],
        "citations": ["doc:lamp-0.md"],
    }
    assert row["tokens"] > 40


def test_example_may_teach_the_call_of_a_tool_or_a_label(lamps: Any) -> None:
    call = {"name": "switch", "arguments": {"lamp": 1, "on": True}}
    rows = built(
        lamps,
        example("first", "lamp-0.md", output=None, call=call),
        example("second", "lamp-1.md", output=None, label="all_night"),
        REFUSAL,
    )
    assert [row["form"] for row in rows if row["expected"] == "answer"] == ["call", "label"]
    assert json.loads(rows[0]["messages"][1]["content"]) == call
    assert rows[1]["messages"][1]["content"] == "all_night"


def test_refusal_is_the_prompt_s_sentence_and_keeps_its_near_miss_context(lamps: Any) -> None:
    (row,) = built(lamps, REFUSAL)
    assert row["expected"] == "refuse"
    assert row["messages"][1]["content"] == "I cannot answer this."
    assert "doc:lamp-1.md" in row["context_ids"]


def test_restricted_documents_are_left_out_of_examples_and_of_contexts(lamps: Any) -> None:
    """Whoever asks: the asker of these examples may read everything."""
    rows = built(lamps, example("third", "secret/lamp.md"), example("first", "lamp-0.md"))
    assert [row["id"] for row in rows] == ["first"]
    assert not any("third" in row["messages"][0]["content"] for row in rows)
    assert all(row["open"] for row in rows)
    assert left_out(lamps) == {"its evidence is not in the context": 1}
    rows = built(lamps, example("third", "secret/lamp.md"), open_groups=["staff", "board"])
    assert [row["context_ids"][0] for row in rows] == ["doc:secret.lamp.md"]


def test_document_that_was_restricted_since_it_was_indexed_is_left_out(lamps: Any) -> None:
    """Access as it is today decides, not as it was when the release was made."""
    lamps.allow_groups({"lamp-0.md": ["board"], "secret/**": ["board"]}, default=["staff"])
    lamps.start()
    assert [row["id"] for row in built(lamps, example("first", "lamp-0.md"), REFUSAL)] == ["fifth"]


def test_example_from_a_family_that_a_golden_question_is_about_is_refused(lamps: Any) -> None:
    by_source = example("first", "desk-0.md", family="lamps")
    by_name = example("second", "lamp-1.md", family="desk-0.md")
    assert [row["id"] for row in built(lamps, by_source, by_name, example("first", "lamp-0.md"))] == ["first"]
    assert left_out(lamps) == {"its family is a source of a golden question": 2}


def test_families_count_and_not_only_documents(lamps: Any) -> None:
    (lamps.folder / "families.yaml").write_text("lights: ['lamp-*.md']\n")
    lamps.write_settings(questions={"file": "../questions.jsonl", "families": "../families.yaml"})
    golden = {
        **lamps.questions[0],
        "id": "lamp",
        "family": "lights",
        "sources": ["lamp-1.md"],
        "quote": "burns all night",
    }
    lamps.questions.append(golden)
    lamps.write_questions()
    built(lamps, example("first", "lamp-0.md"), example("third", "secret/lamp.md"), open_groups=["staff", "board"])
    assert left_out(lamps) == {"its family is a source of a golden question": 1}


def test_no_context_holds_a_document_that_a_golden_question_is_about(lamps: Any) -> None:
    rows = built(lamps, example("first", "lamp-0.md", question="Which first lamp burns, when the topicaa desk opens?"))
    golden = {uri for question in read_questions(lamps.folder / "questions.jsonl") for uri in question.sources}
    used = {entry["uri"] for row in rows for entry in row["lineage"]}
    assert used
    assert not used & golden
    assert not any(row["golden_family"] for row in rows)


def test_example_whose_evidence_is_not_in_the_context_is_left_out(lamps: Any) -> None:
    rows = built(lamps, example("first", "lamp-0.md", quote="burns by day"), example("second", "lamp-1.md"))
    assert [row["id"] for row in rows] == ["second"]


def test_same_input_gives_the_same_digest_and_is_stored_once(lamps: Any) -> None:
    examples = (example("first", "lamp-0.md"), REFUSAL)
    first = build_tuning_set(lamps.runtime, write(lamps, *examples))
    text = (folder(lamps, first) / "train.jsonl").read_bytes()
    assert build_tuning_set(lamps.runtime, write(lamps, *examples)) == first
    assert (folder(lamps, first) / "train.jsonl").read_bytes() == text
    assert lamps.count("tuning_sets") == 1
    assert build_tuning_set(lamps.runtime, write(lamps, examples[0])) != first


def test_note_of_an_outside_version_is_kept_and_changes_no_digest(lamps: Any) -> None:
    noted = build_tuning_set(lamps.runtime, write(lamps, REFUSAL, note="lakefs:4f2a"))
    assert build_tuning_set(lamps.runtime, write(lamps, REFUSAL)) == noted
    assert lamps.query("SELECT dataset_revision AS r FROM tuning_sets") == [{"r": "lakefs:4f2a"}]


def test_trainer_reads_ids_and_messages_only(lamps: Any) -> None:
    digest = build_tuning_set(lamps.runtime, write(lamps, example("first", "lamp-0.md")))
    (line,) = (folder(lamps, digest) / "train.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)) == ["id", "messages"]


def test_lineage_leads_from_each_example_to_rows_of_the_index(lamps: Any) -> None:
    build_tuning_set(lamps.runtime, write(lamps, example("first", "lamp-0.md")))
    stored = lamps.query("SELECT lineage, counts FROM tuning_sets")[0]
    rows = {str(row["id"]): row["uri"] for row in lamps.chunks()}
    assert stored["lineage"]["first"]
    assert all(rows[entry["chunk"]] == entry["uri"] for entry in stored["lineage"]["first"])
    assert stored["counts"] == {"examples": 1, "refusals": 0, "left_out": {}, "release": 2}


def test_tuning_set_needs_a_live_release(small: Any) -> None:
    (small.folder / "adapters").mkdir()
    with pytest.raises(PromotionRefused, match="live release"):
        build_tuning_set(small.runtime, write(small, REFUSAL))


def test_open_groups_have_no_default(lamps: Any) -> None:
    with pytest.raises(ConfigurationError, match="a model forgets no secret"):
        write(lamps, REFUSAL, open_groups=[])


def test_every_broken_line_of_the_examples_is_named(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    lines = [json.dumps(REFUSAL), "{", json.dumps({**REFUSAL, "groups": 7})]
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigurationError, match=r"(?s)line 2: .*line 3: "):
        read_examples(path)
    for two in (REFUSAL | {"output": example("a", "b")["output"]}, example("a", "b", label="lamps")):
        path.write_text(json.dumps(two))
        with pytest.raises(ConfigurationError, match="one of output, call and label for an answer, and none for a ref"):
            read_examples(path)
    path.write_text(json.dumps(example("a", "b", output=None, call={"name": " ", "arguments": {}})))
    with pytest.raises(ConfigurationError, match="name of a tool, found an empty one"):
        read_examples(path)
    path.write_text("")
    with pytest.raises(ConfigurationError, match="no line"):
        read_examples(path)
