"""What each side found and answered, kept for people who look at a question that changed. The gate never reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from liftgate.database import Connection, queries
from liftgate.evaluation.evidence import Row
from liftgate.evaluation.questions import Question
from liftgate.fingerprints import canonical_json
from liftgate.releases.makeup import Makeup
from liftgate.retrieval import Found


@dataclass(frozen=True)
class Transcript:
    """One side's context of a question, and the key of its answer in `answers`. No text but the question's own."""

    side: str
    question: Question
    collection_id: int
    found: Found
    answer: str | None = None


def transcripts_of(
    side: str, makeup: Makeup, questions: Sequence[Question], found: Sequence[Found]
) -> list[Transcript]:
    """What a side found for each question."""
    where = makeup.retrieval.collection_id
    return [Transcript(side, question, where, one) for question, one in zip(questions, found, strict=True)]


def store_transcripts(
    connection: Connection, evaluation_id: int, transcripts: Iterable[Transcript], rows: Iterable[Row]
) -> None:
    """Store those of questions on which the sides differ; nobody asks how all others were answered."""
    wanted = _differing(rows)
    queries().add_transcripts(
        connection, [_values(evaluation_id, one) for one in transcripts if one.question.id in wanted]
    )


def _differing(rows: Iterable[Row]) -> set[str]:
    values: dict[tuple[str, str], dict[str, float | None]] = defaultdict(dict)
    for row in rows:
        values[row.question, row.metric][row.side] = row.value
    return {question for (question, _), by_side in values.items() if len(set(by_side.values())) > 1}


def _values(evaluation_id: int, one: Transcript) -> dict[str, Any]:
    chunks = [
        {"id": str(hit.id), "uri": hit.uri, "section": hit.section, "score": round(hit.score, 6)}
        for hit in one.found.chunks
    ]
    return {
        "evaluation_id": evaluation_id,
        "side": one.side,
        "question": one.question.id,
        "asked": one.question.question,
        "sources": list(one.question.sources),
        "best_score": one.found.best_score,
        "collection_id": one.collection_id,
        "chunks": canonical_json(chunks),
        "answer": one.answer,
    }
