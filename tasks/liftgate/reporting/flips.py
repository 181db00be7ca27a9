"""Questions that a candidate answers otherwise than what it is compared with, losses first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from liftgate.database import Connection, queries
from liftgate.gate.pairing import BEST, WORST


@dataclass(frozen=True)
class Measured:
    """One metric of one question on both sides. None: that side gave no answer."""

    metric: str
    candidate: float | None
    other: float | None

    @property
    def difference(self) -> float:
        """Candidate minus other, as the gate counts it: a missing answer counts against the candidate."""
        mine = WORST if self.candidate is None else self.candidate
        theirs = BEST if self.other is None else self.other
        return mine - theirs


@dataclass(frozen=True)
class Flip:
    """A question with at least one metric that differs."""

    question: str
    family: str
    slices: tuple[str, ...]
    measured: tuple[Measured, ...]

    @property
    def kind(self) -> str:
        """lost: some metric fell; gained: none fell; both: one fell and another rose."""
        fell = any(one.difference < 0 for one in self.measured)
        rose = any(one.difference > 0 for one in self.measured)
        return "both" if fell and rose else "lost" if fell else "gained"

    @property
    def worst(self) -> float:
        """The largest loss, or the smallest gain."""
        return min(one.difference for one in self.measured)


def flips(connection: Connection, evaluation_id: int, against: str) -> list[Flip]:
    """Every question on which the candidate and another side differ, the largest loss first."""
    rows = queries().differing_rows(connection, evaluation_id=evaluation_id, against=against)
    found = []
    for question, group in groupby(rows, key=lambda row: row["question"]):
        listed = list(group)
        measured = tuple(Measured(row["metric"], row["candidate"], row["other"]) for row in listed)
        found.append(Flip(question, listed[0]["family"], tuple(listed[0]["slices"]), measured))
    return sorted(found, key=lambda flip: (flip.worst, flip.question))
