"""Rows to the numbers that are compared: paired by question; what is missing counts against the candidate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from liftgate.evaluation.evidence import Row

WORST, BEST = 0.0, 1.0


@dataclass(frozen=True)
class Pairs:
    """The questions on which either side has a row of the metric, in the order of their ids."""

    families: tuple[str, ...]
    candidate: tuple[float | None, ...]
    other: tuple[float | None, ...]

    @property
    def candidate_values(self) -> list[float]:
        """A missing answer of the candidate counts as the worst."""
        return [WORST if value is None else value for value in self.candidate]

    @property
    def other_values(self) -> list[float]:
        """A missing answer of the other side counts as the best."""
        return [BEST if value is None else value for value in self.other]

    @property
    def differences(self) -> list[float]:
        """Candidate minus other, for each question."""
        return [mine - theirs for mine, theirs in zip(self.candidate_values, self.other_values, strict=True)]

    @property
    def comparable(self) -> bool:
        """Both sides answered at least one question."""
        return any(v is not None for v in self.candidate) and any(v is not None for v in self.other)


def pair(rows: Iterable[Row], metric: str, other: str, slice_name: str | None = None) -> Pairs:
    """Pair the candidate with another side, question by question.

    A question that only one side has a row for is missing on the other: nobody gets better by leaving out.
    Example: candidate {a: 1, b: None}, baseline {a: 0, c: 1} -> differences a: 1, b: -1, c: -1.
    """
    sides: dict[str, dict[str, Row]] = {"candidate": {}, other: {}}
    for row in rows:
        if row.metric == metric and row.side in sides and (slice_name is None or slice_name in row.slices):
            sides[row.side][row.question] = row
    mine, theirs = sides["candidate"], sides[other]
    names = sorted(mine.keys() | theirs.keys())
    return Pairs(
        families=tuple((mine.get(name) or theirs[name]).family for name in names),
        candidate=tuple(mine[name].value if name in mine else None for name in names),
        other=tuple(theirs[name].value if name in theirs else None for name in names),
    )


def missing_share(values: Iterable[float | None]) -> float:
    """Share of the questions without an answer; none of them for no questions."""
    listed = list(values)
    return sum(value is None for value in listed) / len(listed) if listed else 0.0
