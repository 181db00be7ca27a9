"""What the gate says, and in which form it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

Outcome = Literal["promote", "reject", "inconclusive"]
CheckKind = Literal["floor", "guard", "anchor", "kpi", "slice", "leak", "data_quality", "missing"]
CheckOutcome = Literal["pass", "fail", "undecided", "not_assessed"]
Counts = Literal["always", "if_assessed", "never"]


@dataclass(frozen=True)
class Check:
    """One condition of a policy. estimate is candidate minus other, or the candidate's mean for a floor."""

    name: str
    kind: CheckKind
    outcome: CheckOutcome
    sentence: str
    counts: Counts = "always"
    """always: not assessed holds the candidate; if_assessed: it does not; never: shown only."""
    metric: str | None = None
    against: str | None = None
    slice: str | None = None
    candidate: float | None = None
    other: float | None = None
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    threshold: float | None = None
    """What lower (or, for missing answers, the share) is held against."""
    questions: int = 0
    families: int = 0
    decided_margin: float | None = None
    """The power: the smallest margin that these questions decide at 80 %."""
    questions_needed: int | None = None
    """About how many questions in all would decide it, where it is not decided."""

    @property
    def holds(self) -> bool:
        """Does it keep the candidate from being promoted, without being a reason to reject it?"""
        if self.outcome == "undecided":
            return self.counts != "never"
        return self.outcome == "not_assessed" and self.counts == "always"

    @property
    def rejects(self) -> bool:
        """Is it a reason to reject the candidate?"""
        return self.outcome == "fail" and self.counts != "never"


@dataclass(frozen=True)
class Verdict:
    """The outcome with every check that led to it, and a summary for people."""

    outcome: Outcome
    policy: str
    component: str
    checks: tuple[Check, ...]
    summary: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold; from_json gives back an equal verdict."""
        return _adapter().dump_python(self, mode="json")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """The verdict that to_json wrote."""
        return _adapter().validate_python(data)


@cache
def _adapter() -> TypeAdapter[Verdict]:
    return TypeAdapter(Verdict)
