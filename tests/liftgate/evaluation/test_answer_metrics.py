from __future__ import annotations

import json
from dataclasses import replace

import pytest

from liftgate.evaluation.answer_metrics import (
    Answered,
    answer_rows,
    answer_values,
    cheap_rows,
    cited_ids,
    label_f1,
    matches,
    refusal_counts,
    summary_groundedness,
)
from liftgate.evaluation.forms import Call
from liftgate.evaluation.questions import Question
from liftgate.evaluation.retrieval_metrics import Context, ContextChunk
from liftgate.gate.cheap import judge_rows

REFUSAL = "I cannot find this in the documents."
ASKED = Question(
    "q1",
    "How long is the leave?",
    "leave",
    "answer",
    sources=("hr/leave.md",),
    quote="sixteen weeks",
    must_contain=(("sixteen weeks", "16 weeks"), ("paid",)),
)
HIDDEN = Question("q2", "Pay?", "pay", "refuse", why="hidden", sources=("finance/pay.md",))
CALL = replace(ASKED, id="q3", must_contain=(), call=Call("book", {"room": "R-12"}))
LABEL = replace(ASKED, id="q4", must_contain=(), label="payroll")
CHUNKS = (
    ContextChunk("hr.leave.md", "hr/leave.md", "Leave", "Parents receive sixteen weeks of paid leave."),
    ContextChunk("hr.sick.md", "hr/sick.md", "Sick leave", "Report on the first day."),
)


def answered(text: str | None, score: float | None = 0.6) -> Answered:
    return Answered(Context("q1", CHUNKS, score, min_score=0.47), text)


def written(**changes: object) -> str:
    answer = {
        "summary": "Parents receive sixteen weeks of paid leave.",
        "risk": "low",
        "next_steps": ["Tell your manager"],
        "citations": ["doc:hr.leave.md"],
    }
    return json.dumps({**answer, **changes})


def test_good_answer_has_full_marks() -> None:
    found = answer_values(ASKED, answered(written()), REFUSAL)
    raw = found.pop("groundedness_raw")
    assert set(found.values()) == {1.0}
    assert set(found) == {
        "schema_valid",
        "answer_match",
        "citation_correct",
        "groundedness",
        "refusal_correct",
    }
    assert raw is not None
    assert 0 < raw < 1


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Sixteen\nweeks, **paid**.", True),
        ("It is 16 weeks, paid.", True),
        ("It is 116 weeks, paid.", False),
        ("It is 2.16 weeks, paid.", False),
        ("It is sixteen weeks.", False),
        ("It is sixteen weeks, unpaid.", False),
        ("Paid [doc:sixteen-weeks].", False),
    ],
)
def test_answer_must_hold_a_variant_of_each_fact_as_whole_words(text: str, right: bool) -> None:
    assert matches(text, ASKED.must_contain) is right


def test_fact_in_the_citations_of_a_json_answer_is_not_an_answer() -> None:
    assert not matches(written(summary="paid", citations=["sixteen weeks"]), ASKED.must_contain)


@pytest.mark.parametrize(
    ("citations", "right"),
    [
        (["doc:hr.leave.md"], 1.0),
        (["[doc:hr.leave.md]", "hr.leave.md"], 1.0),
        (["doc:hr.leave.md", "doc:hr.sick.md"], 0.0),
        (["doc:hr.sick.md"], 0.0),
        (["doc:hr.invented.md"], 0.0),
        ([], 0.0),
    ],
)
def test_every_citation_must_be_in_the_context_and_relevant(citations: list[str], right: float) -> None:
    found = answer_values(ASKED, answered(written(citations=citations)), REFUSAL)
    assert found["citation_correct"] == right


def test_citations_are_found_in_text_too() -> None:
    assert cited_ids("Sixteen weeks [doc:hr.leave.md][kb:12].") == {"hr.leave.md", "12"}


def test_source_that_was_not_in_the_context_cannot_be_cited() -> None:
    elsewhere = Answered(Context("q1", CHUNKS[1:], 0.6, 0.47), written())
    assert answer_values(ASKED, elsewhere, REFUSAL)["citation_correct"] == 0.0


def test_groundedness_is_about_the_summary_without_its_citations() -> None:
    context = answered(None).context
    tagged = "Sixteen weeks of paid leave [doc:invented.name.here]"
    assert summary_groundedness(written(summary=tagged, risk="quite unheard"), context) == 1.0
    assert summary_groundedness("Sixteen lunches", context) == 0.5


def test_missing_answer_has_no_values_at_all() -> None:
    for lost in (None, answered(None)):
        found = answer_values(ASKED, lost, REFUSAL)
        assert set(found.values()) == {None}
        assert {"schema_valid", "answer_match", "refusal_correct"} <= set(found)
    assert answer_values(HIDDEN, None, REFUSAL) == {"refusal_correct": None}


def test_answerable_question_that_retrieval_refused_gave_nothing_and_no_format_to_judge() -> None:
    assert answer_values(ASKED, answered(None, score=0.3), REFUSAL) == {
        "refusal_correct": 0.0,
        "answer_match": 0.0,
        "citation_correct": 0.0,
        "groundedness": 0.0,
    }


def test_answerable_question_that_the_model_refused_gave_nothing_but_may_keep_the_format() -> None:
    found = answer_values(ASKED, answered(written(summary=REFUSAL.upper())), REFUSAL)
    assert (found["schema_valid"], found["groundedness"], found["refusal_correct"]) == (1.0, 0.0, 0.0)


def test_question_to_be_refused_is_judged_by_refusal_alone() -> None:
    assert answer_values(HIDDEN, answered(written()), REFUSAL) == {"refusal_correct": 0.0}
    assert answer_values(HIDDEN, answered(f"Sorry. {REFUSAL}"), REFUSAL) == {"refusal_correct": 1.0}


def test_empty_refusal_sentence_refuses_nothing() -> None:
    assert answered("Anything.").refused_by("") is None


def test_call_is_measured_by_its_tool_and_its_arguments_alone() -> None:
    wrong = answer_values(CALL, answered('{"name": "book", "arguments": {"room": "R-13"}}'), REFUSAL)
    assert wrong == {"refusal_correct": 1.0, "tool_name": 1.0, "tool_arguments": 0.0}
    assert answer_values(CALL, answered(written()), REFUSAL)["tool_name"] == 0.0


def test_label_is_measured_by_its_match_alone() -> None:
    assert answer_values(LABEL, answered("Payroll."), REFUSAL) == {"refusal_correct": 1.0, "label_match": 1.0}


@pytest.mark.parametrize(("question", "metrics"), [(CALL, {"tool_name", "tool_arguments"}), (LABEL, {"label_match"})])
def test_call_or_label_that_did_not_come_is_missing_and_one_that_was_refused_is_0(
    question: Question, metrics: set[str]
) -> None:
    missing, unseen, refused = (
        answer_values(question, given, REFUSAL)
        for given in (answered(None), answered(None, score=0.1), answered(f"{REFUSAL}"))
    )
    assert missing == dict.fromkeys({"refusal_correct", *metrics})
    assert unseen == refused == dict.fromkeys({"refusal_correct", *metrics}, 0.0)


def test_macro_f1_is_over_the_questions_that_expect_a_label() -> None:
    other = replace(LABEL, id="q5", label="it")
    answers = {"q1": answered("Anything."), "q4": answered("payroll"), "q5": answered("payroll")}
    assert label_f1([ASKED, LABEL, other], answers) == pytest.approx((2 / 3 + 0) / 2)
    assert label_f1([ASKED, LABEL], {}) == 0.0
    assert label_f1([ASKED], answers) is None


def test_refusals_are_counted_by_layer() -> None:
    asked = [ASKED] + [
        Question(name, "?", "f", kind)  # type: ignore[arg-type]
        for name, kind in (
            ("q3", "answer"),
            ("q4", "refuse"),
            ("q5", "refuse"),
            ("q6", "refuse"),
            ("q7", "answer"),
        )
    ]
    answers = {
        "q1": answered(None, score=None),
        "q3": answered(REFUSAL),
        "q4": answered(None, score=0.1),
        "q5": answered(REFUSAL),
        "q6": answered(written()),
        "q7": answered(None),
    }
    counts = refusal_counts(asked, answers, REFUSAL)
    assert (counts.answerable, counts.to_refuse) == (2, 3)
    assert (counts.false_by_retrieval, counts.false_by_model) == (1, 1)
    assert (counts.caught_by_retrieval, counts.caught_by_model, counts.missed) == (1, 1, 1)


def test_rows_name_side_family_and_every_metric() -> None:
    rows = answer_rows("baseline", [ASKED, HIDDEN], {"q1": answered("No JSON.")}, REFUSAL)
    found = {(row.side, row.question, row.family, row.metric): row.value for row in rows}
    assert found["baseline", "q1", "leave", "schema_valid"] == 0.0
    assert found["baseline", "q2", "pay", "refusal_correct"] is None


def test_cheap_gate_takes_the_answers_that_a_model_wrote() -> None:
    answers = {"q1": answered(written()), "q2": answered(None, score=0.1)}
    report = judge_rows(cheap_rows([ASKED, HIDDEN], answers))
    assert (report.rows, report.exit_code) == (1, 0)
