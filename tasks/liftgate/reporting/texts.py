"""One question side by side, with its texts for whoever may read every document that it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from liftgate.database import Connection, queries
from liftgate.generations import collection

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


SIDES = ("candidate", "baseline", "live", "anchor")
"""In the order in which people compare them."""


@dataclass(frozen=True)
class ShownChunk:
    """A chunk of a context. text None: not for this viewer, or its row is gone."""

    id: UUID
    uri: str
    section: str
    score: float
    text: str | None


@dataclass(frozen=True)
class ShownSide:
    """What one side found, best first, and answered."""

    side: str
    best_score: float | None
    chunks: tuple[ShownChunk, ...]
    answer: str | None


@dataclass(frozen=True)
class ShownQuestion:
    """A question of an evaluation as somebody may see it."""

    question: str
    values: dict[str, dict[str, float | None]]
    """By metric and side."""
    asked: str | None
    """The question's text."""
    closed: tuple[str, ...]
    """Documents that keep the texts from this viewer: unreadable for them today, or deleted."""
    sides: tuple[ShownSide, ...]


def question_for(
    runtime: Runtime, kb: str, evaluation_id: int, question: str, groups: Collection[str]
) -> ShownQuestion:
    """A question for somebody with these groups. Access is today's, whenever the evaluation was.

    The answer and the question can give away what any of the documents says, so all texts are shown or none: only to
    whoever may read every document of every context, and those that the question is about.
    """
    with runtime.database.transaction() as connection:
        rows = list(queries().transcripts_of(connection, evaluation_id=evaluation_id, question=question))
        rows.sort(key=lambda row: SIDES.index(row["side"]))
        closed = _closed(connection, kb, rows, set(groups))
        shown = bool(rows) and not closed
        return ShownQuestion(
            question=question,
            values=_values(connection, evaluation_id, question),
            asked=rows[0]["asked"] if shown else None,
            closed=closed,
            sides=tuple(_side(runtime, connection, row, list(groups) if shown else []) for row in rows),
        )


def _values(connection: Connection, evaluation_id: int, question: str) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = defaultdict(dict)
    for row in queries().measured_on(connection, evaluation_id=evaluation_id, question=question):
        found[row["metric"]][row["side"]] = row["value"]
    return dict(found)


def _closed(connection: Connection, kb: str, rows: Sequence[dict[str, Any]], groups: set[str]) -> tuple[str, ...]:
    """Documents of the question that none of the groups may read. The same uri in two sources: both must be open."""
    readers: dict[str, list[set[str]]] = defaultdict(list)
    for row in queries().readers(connection, kb=kb):
        readers[row["uri"]].append(set(row["groups"]))
    about = {uri for row in rows for uri in row["sources"]} | {one["uri"] for row in rows for one in row["chunks"]}
    return tuple(sorted(uri for uri in about if not readers[uri] or any(not groups & of for of in readers[uri])))


def _side(runtime: Runtime, connection: Connection, row: dict[str, Any], groups: list[str]) -> ShownSide:
    """No groups: no texts."""
    ids = [UUID(one["id"]) for one in row["chunks"]]
    index = runtime.index_in(connection, collection(connection, row["collection_id"]))
    texts = index.texts(ids, groups) if groups and ids and index.exists() else {}
    chunks = (
        ShownChunk(number, one["uri"], one["section"], one["score"], texts.get(number))
        for number, one in zip(ids, row["chunks"], strict=True)
    )
    return ShownSide(row["side"], row["best_score"], tuple(chunks), row["answer"] if groups else None)
