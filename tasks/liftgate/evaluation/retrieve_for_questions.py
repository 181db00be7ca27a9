"""Ask every golden question on each side, under today's access, and write the evidence down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.evaluation.conditions import Conditions, retrieval_conditions
from liftgate.evaluation.counting import count_questions
from liftgate.evaluation.evidence import Comparison, Row
from liftgate.evaluation.questions import Question
from liftgate.evaluation.retrieval_metrics import Context, ContextChunk, find_leaks, retrieval_rows
from liftgate.evaluation.sides import Sides, readers_of, sides_for
from liftgate.evaluation.storing import known_evaluation, store_evaluation
from liftgate.evaluation.transcripts import Transcript, transcripts_of
from liftgate.gate import policy
from liftgate.releases.ledger import release
from liftgate.releases.makeup import Makeup
from liftgate.retrieval import Asked, Found, retrieve
from liftgate.runs import Run
from liftgate.validation.reports import data_quality

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def retrieve_for_questions(runtime: Runtime, run: Run, candidate: int) -> int:
    """Retrieve for all golden questions with the candidate, what is live, and the anchor. Returns the evaluation's id.

    A pair of candidate and conditions that was evaluated before is not evaluated again.
    """
    with runtime.database.transaction() as connection:
        proposed = release(connection, run.kb, candidate)
        conditions = retrieval_conditions(connection, run, proposed)
        known = known_evaluation(connection, proposed, conditions)
        sides = sides_for(connection, proposed, conditions)
    if known is not None:
        print(f"Release {candidate} was evaluated under these conditions before: evaluation {known}.")
        return known
    comparison, transcripts = _compare(runtime, run, conditions, sides)
    rules = policy.knowledge_base(run.config.gate) if sides.baseline else policy.first_release(run.config.gate)
    return store_evaluation(runtime, run, proposed, conditions, rules, comparison, transcripts)


def _compare(runtime: Runtime, run: Run, conditions: Conditions, sides: Sides) -> tuple[Comparison, list[Transcript]]:
    readers = readers_of(runtime, run.kb)
    counted = count_questions(runtime, run, sides.candidate, conditions.questions, readers)
    rows: list[Row] = []
    transcripts: list[Transcript] = []
    leaks: list[str] = []
    for side, makeup in sides.by_name():
        asked = conditions.questions if side == "candidate" else counted.questions
        found = found_for(runtime, makeup, asked)
        contexts = {question.id: as_context(question, one) for question, one in zip(asked, found, strict=True)}
        transcripts += transcripts_of(side, makeup, asked, found)
        rows += retrieval_rows(side, counted.questions, contexts)
        if side == "candidate":
            leaks = find_leaks(asked, contexts, readers)
        print(f"{side}: {len(asked)} questions retrieved")
    comparison = Comparison(
        component="retrieval",
        made_of=sides.made_of(conditions),
        rows=tuple(rows),
        data_quality=data_quality(runtime, run.kb, sides.candidate.retrieval.digest),
        leaks=tuple(leaks),
        set_aside=counted.set_aside,
        notes=sides.notes,
    )
    return comparison, transcripts


def found_for(runtime: Runtime, makeup: Makeup, questions: tuple[Question, ...]) -> list[Found]:
    """What a release retrieves for each question."""
    return retrieve(runtime, makeup, [Asked(question.question, question.groups) for question in questions])


def as_context(question: Question, found: Found) -> Context:
    """What was found, in the words of the metrics."""
    chunks = tuple(ContextChunk(hit.doc_id, hit.uri, hit.section, hit.text) for hit in found.chunks)
    return Context(question.id, chunks, found.best_score, found.min_score)
