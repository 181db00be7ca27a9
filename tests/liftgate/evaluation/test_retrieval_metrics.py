from __future__ import annotations

import math

import pytest

from liftgate.evaluation.evidence import Row
from liftgate.evaluation.questions import Question
from liftgate.evaluation.retrieval_metrics import Context, ContextChunk, find_leaks, retrieval_rows

ASKED = Question(
    "q1",
    "How long is the leave?",
    "leave",
    "answer",
    groups=("staff",),
    sources=("hr/leave.md",),
    quote="sixteen weeks of paid leave",
    slices=("hr",),
)
HIDDEN = Question("q2", "Pay?", "pay", "refuse", groups=("staff",), why="hidden", sources=("finance/pay.md",))
EVIDENCE = ContextChunk("hr.leave.md", "hr/leave.md", "Leave", "Parents get **sixteen weeks**\nof paid leave.")
OTHER = ContextChunk("it.vpn.md", "it/vpn.md", "VPN", "Use the client.")
OUTDATED = ContextChunk("hr.old.md", "hr/old.md", "Leave", "sixteen weeks of paid leave")


def context(*chunks: ContextChunk, question: str = "q1", score: float | None = 0.6) -> Context:
    return Context(question, chunks, score, min_score=0.47)


def values(rows: list[Row]) -> dict[str, float | None]:
    return {row.metric: row.value for row in rows}


def test_rank_of_the_evidence_decides() -> None:
    rows = retrieval_rows("candidate", [ASKED], {"q1": context(OTHER, EVIDENCE, OTHER)})
    assert values(rows) == {
        "recall": 1.0,
        "rr": 0.5,
        "ndcg": pytest.approx(1 / math.log2(3)),
        "refusal_correct": 1.0,
    }
    assert {(row.family, row.slices, row.side) for row in rows} == {("leave", ("hr",), "candidate")}


def test_quote_in_another_document_is_not_evidence() -> None:
    found = values(retrieval_rows("candidate", [ASKED], {"q1": context(OUTDATED, OTHER)}))
    assert (found["recall"], found["rr"], found["ndcg"]) == (0.0, 0.0, 0.0)


def test_chunks_that_repeat_the_evidence_add_nothing() -> None:
    once = values(retrieval_rows("candidate", [ASKED], {"q1": context(EVIDENCE)}))
    twice = values(retrieval_rows("candidate", [ASKED], {"q1": context(EVIDENCE, EVIDENCE)}))
    assert once == twice


def test_recall_does_not_depend_on_min_score_but_refusal_does() -> None:
    found = values(retrieval_rows("candidate", [ASKED], {"q1": context(EVIDENCE, score=0.3)}))
    assert (found["recall"], found["refusal_correct"]) == (1.0, 0.0)


def test_empty_context_finds_nothing() -> None:
    found = values(retrieval_rows("candidate", [ASKED], {"q1": context(score=None)}))
    assert (found["recall"], found["refusal_correct"]) == (0.0, 0.0)


@pytest.mark.parametrize(("score", "right"), [(None, 1.0), (0.3, 1.0), (0.47, 0.0)])
def test_question_to_be_refused_is_judged_by_refusal_alone(score: float | None, right: float) -> None:
    rows = retrieval_rows("baseline", [HIDDEN], {"q2": context(OTHER, question="q2", score=score)})
    assert values(rows) == {"refusal_correct": right}


def test_question_without_a_context_is_missing_and_not_wrong() -> None:
    found = values(retrieval_rows("candidate", [ASKED, HIDDEN], {}))
    assert found == {"recall": None, "rr": None, "ndcg": None, "refusal_correct": None}


def test_chunk_that_the_asker_may_not_read_and_one_of_a_deleted_document_are_leaks() -> None:
    pay = ContextChunk("finance.pay.md", "finance/pay.md", "Pay", "...")
    contexts = {"q1": context(EVIDENCE, OTHER), "q2": context(pay, pay, question="q2")}
    readers = {"hr/leave.md": {"staff", "hr"}, "finance/pay.md": {"finance"}}
    assert find_leaks([ASKED, HIDDEN], contexts, readers) == [
        "q1: it/vpn.md is deleted",
        "q2: finance/pay.md is not for staff",
    ]
