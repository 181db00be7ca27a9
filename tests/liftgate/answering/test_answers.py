from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftgate.answering import answer_questions, known_answers, messages_for
from liftgate.answering.answers import answer_key
from liftgate.answering.base_model import base_revision
from liftgate.database import queries
from liftgate.errors import ConfigurationError, JobFailed
from liftgate.local.models import SMOLLM2, model_folder
from liftgate.prompts import parse_prompt
from liftgate.releases.makeup import AdapterPart, BasePart, Makeup, PromptPart
from liftgate.retrieval import Asked, context_of, retrieve
from liftgate.runtime import Runtime

DESK = Asked("When the topicaa desk opens?", ("staff",))
ABSENT = Asked("Who paints zebra0?", ("staff",))
SMALL_PROMPT = PromptPart(version="short", text="---\nrefusal: No.\n---\n$context\n$question Answer with one word.\n")


def store(judged: Any, makeup: Makeup, asked: Asked, text: str) -> None:
    """Store an answer where that make-up looks for it."""
    key = answer_key(judged.runtime, makeup, asked, retrieve(judged.runtime, makeup, [asked])[0])
    with judged.runtime.database.transaction() as connection:
        queries().store_answers(connection, [{"id": key, "text": text, "tokens": 1, "finish": "stop"}])


def changed(makeup: Makeup, **parts: Any) -> Makeup:
    return makeup.model_copy(update=parts)


def test_question_that_retrieval_refuses_is_answered_without_a_model(judged: Any) -> None:
    answered = answer_questions(judged.runtime, judged.release(1).makeup, [ABSENT, Asked(DESK.question, ("guests",))])
    assert [(one.found.refused, one.text) for one in answered] == [(True, None), (True, None)]
    assert judged.count("answers") == 0


def test_stored_answers_are_given_in_the_order_of_the_questions(judged: Any) -> None:
    makeup = judged.release(1).makeup
    store(judged, makeup, DESK, "At 100.")
    answered = answer_questions(judged.runtime, makeup, [ABSENT, DESK, DESK])
    assert [one.text for one in answered] == [None, "At 100.", "At 100."]
    assert judged.count("answers") == 1


def test_answer_that_was_not_generated_stays_missing_where_no_model_is_called(judged: Any) -> None:
    answered = known_answers(judged.runtime, judged.release(1).makeup, [DESK])[0]
    assert (answered.found.refused, answered.text) == (False, None)


@pytest.mark.parametrize(
    "part",
    [
        {"prompt": SMALL_PROMPT},
        {"adapter": AdapterPart(digest="a", name="small", uri="/nowhere")},
        {"base": BasePart(model="HuggingFaceTB/SmolLM2-135M-Instruct", revision="another")},
        {"max_new_tokens": 12},
    ],
    ids=["prompt", "adapter", "base", "decoding"],
)
def test_answer_belongs_to_all_that_it_depends_on(judged: Any, part: dict[str, Any]) -> None:
    makeup = judged.release(1).makeup
    store(judged, makeup, DESK, "At 100.")
    assert known_answers(judged.runtime, changed(makeup, **part), [DESK])[0].text is None


def test_answer_belongs_to_its_question_and_context(judged: Any) -> None:
    makeup = judged.release(1).makeup
    store(judged, makeup, DESK, "At 100.")
    assert known_answers(judged.runtime, makeup, [Asked("When the topicab desk opens?", ("staff",))])[0].text is None
    judged.retrieve_by(top_k=1)
    narrower = judged.release(judged.propose()).makeup
    assert known_answers(judged.runtime, narrower, [DESK])[0].text is None


def test_same_context_from_another_generation_costs_no_answer(judged: Any) -> None:
    store(judged, judged.release(1).makeup, DESK, "At 100.")
    judged.write("desk-30.md", judged.text(30, "On Mondays."))
    judged.retrieve_by(min_score=0.3)
    later = judged.release(judged.propose()).makeup
    assert later.retrieval.generation == 2
    assert known_answers(judged.runtime, later, [DESK])[0].text == "At 100."


def test_message_holds_the_context_with_ids_and_the_question(judged: Any) -> None:
    makeup = judged.release(1).makeup
    found = retrieve(judged.runtime, makeup, [DESK])[0]
    (message,) = messages_for(parse_prompt(makeup.prompt.text), DESK, found)
    assert message == {"role": "user", "content": f"{context_of(found.chunks)}\n\n{DESK.question}"}
    assert "[doc:desk-0.md]" in message["content"]


def test_generator_says_what_is_missing_to_run_the_trainers_program(judged: Any) -> None:
    settings = judged.runtime.settings.model_copy(update={"trainer_dir": None})
    without = Runtime(settings, judged.runtime._embedders)
    with pytest.raises(ConfigurationError, match="LIFTGATE_TRAINER_DIR"):
        answer_questions(without, judged.release(1).makeup, [DESK])


def test_base_revision_is_a_hash_of_the_weights(tmp_path: Path) -> None:
    for name, weights in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weights)
        (tmp_path / name / "config.json").write_text(name)
    first, same, other = (base_revision(str(tmp_path / name), "") for name in "abc")
    assert first == same != other


@pytest.mark.slow
def test_model_answers_once_and_its_answers_are_kept(judged: Any) -> None:
    makeup = changed(judged.release(1).makeup, prompt=SMALL_PROMPT, max_new_tokens=8)
    asked = [DESK, ABSENT, DESK]
    first = answer_questions(judged.runtime, makeup, asked)
    assert first[0].text
    assert [one.text for one in first] == [first[0].text, None, first[0].text]
    assert judged.count("answers") == 1
    stamp = judged.query("SELECT answered_at FROM answers")
    without = Runtime(judged.runtime.settings.model_copy(update={"trainer_dir": None}), judged.runtime._embedders)
    assert [one.text for one in answer_questions(without, makeup, asked[:2])] == [first[0].text, None]
    assert judged.query("SELECT answered_at FROM answers") == stamp


@pytest.mark.slow
def test_failed_generation_is_an_error_with_the_programs_last_line(judged: Any, tmp_path: Path) -> None:
    tokenizer = model_folder(SMOLLM2, judged.runtime.settings.models_dir) / "tokenizer.json"
    (tmp_path / "no-weights").mkdir()
    (tmp_path / "no-weights" / "tokenizer.json").symlink_to(tokenizer.resolve())
    base = BasePart(model=str(tmp_path / "no-weights"))
    makeup = changed(judged.release(1).makeup, base=base, max_new_tokens=8)
    with pytest.raises(JobFailed, match="no-weights"):
        answer_questions(judged.runtime, makeup, [DESK])
    assert judged.count("answers") == 0
