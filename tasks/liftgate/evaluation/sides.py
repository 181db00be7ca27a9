"""The sides of a comparison: the candidate, what it is compared with, and what each is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liftgate.database import Connection, queries
from liftgate.evaluation.conditions import Conditions
from liftgate.evaluation.evidence import Side
from liftgate.releases.ledger import Release, release
from liftgate.releases.makeup import Makeup

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Sides:
    """What is compared with what. A first release has no baseline; `live` is a live adapter beside prompt-only RAG."""

    candidate: Makeup
    baseline: Makeup | None = None
    live: Makeup | None = None
    anchor: Makeup | None = None
    notes: tuple[str, ...] = ()

    def by_name(self) -> Iterator[tuple[Side, Makeup]]:
        """The sides that there are, the candidate first."""
        named: list[tuple[Side, Makeup | None]] = [
            ("candidate", self.candidate),
            ("baseline", self.baseline),
            ("live", self.live),
            ("anchor", self.anchor),
        ]
        for side, makeup in named:
            if makeup is not None:
                yield side, makeup

    def made_of(self, conditions: Conditions) -> dict[str, dict[str, str]]:
        """What each side is made of, with the conditions that all share."""
        return {side: {**makeup.parts(), **conditions.shared()} for side, makeup in self.by_name()}


def sides_for(connection: Connection, candidate: Release, conditions: Conditions) -> Sides:
    """The sides for a candidate of its component. One that a rollback made is compared with what was live, alone."""
    current = None if conditions.parent is None else release(connection, candidate.kb, conditions.parent)
    anchor, notes = _anchor(connection, candidate, conditions)
    if candidate.component != "adapter" or candidate.unjudged or current is None:
        return Sides(candidate.makeup, current.makeup if current else None, None, anchor, notes)
    prompt_only = candidate.makeup.model_copy(update={"adapter": None})
    beside = current.makeup if current.makeup.adapter else None
    return Sides(candidate.makeup, prompt_only, beside, anchor, notes)


def readers_of(runtime: Runtime, kb: str) -> dict[str, frozenset[str]]:
    """The groups that may read each listed document today, by uri."""
    with runtime.database.transaction() as connection:
        return {row["uri"]: frozenset(row["groups"]) for row in queries().readers(connection, kb=kb)}


def _anchor(
    connection: Connection, candidate: Release, conditions: Conditions
) -> tuple[Makeup | None, tuple[str, ...]]:
    """The anchor's makeup, or a note why it cannot be run: that alone holds nobody."""
    if conditions.anchor is None:
        return None, ()
    found = release(connection, candidate.kb, conditions.anchor)
    if found.makeup.parts()["decoding"] != candidate.makeup.parts()["decoding"]:
        return None, (f"The anchor, release {found.n}, was not assessed: it decodes in another way.",)
    if queries().is_pruned(connection, kb=candidate.kb, generation=found.makeup.retrieval.generation):
        return None, (f"The anchor, release {found.n}, was not assessed: its rows are pruned.",)
    return found.makeup, ()
