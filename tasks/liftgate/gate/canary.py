"""The judgement on a canary: good answers of its readers against those of everybody else over the same time."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from liftgate.config.canary import Canary
from liftgate.gate.statistics import ALPHA, Bounds, bounds_of_sums, families_needed

HARM_ALPHA = 0.001
"""For ending a canary early. It is looked at every minute or so, and must not end a good one by chance."""

JudgedCanary = Literal["passed", "failed", "inconclusive"]


@dataclass(frozen=True)
class Tally:
    """The outcomes of one side: one entry for each reader."""

    good: tuple[int, ...] = ()
    answered: tuple[int, ...] = ()

    @property
    def share(self) -> float | None:
        """Of good answers; None without any."""
        return sum(self.good) / sum(self.answered) if self.answered else None

    def bounds(self, alpha: float) -> Bounds:
        """Of the share, where the requests of one reader are not independent."""
        return bounds_of_sums(np.array(self.good, float), np.array(self.answered, float), 0.0, 1.0, alpha)


@dataclass(frozen=True)
class Counts:
    """The outcomes of one side in numbers."""

    good: int
    answered: int
    readers: int

    @property
    def share(self) -> float | None:
        """Of good answers; None without any."""
        return self.good / self.answered if self.answered else None


@dataclass(frozen=True)
class CanaryJudgement:
    """What the outcomes say. The difference is that of the shares of good answers, canary less live."""

    outcome: JudgedCanary
    sentence: str
    canary: Counts
    live: Counts
    difference: float | None
    lower: float
    upper: float
    margin: float

    def as_json(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> CanaryJudgement:
        """Out of the ledger."""
        return cls(**{**stored, "canary": Counts(**stored["canary"]), "live": Counts(**stored["live"])})


def judge(canary: Tally, live: Tally, settings: Canary) -> CanaryJudgement:
    """passed: not worse by the margin. failed: worse than live. inconclusive: neither is shown. To be asked once.

    A canary that is worse by exactly the margin passes in at most 5 % of all trials.
    """
    lower, upper = difference_bounds(canary, live, ALPHA)
    missing = _missing(canary, live, settings)
    outcome: JudgedCanary = "inconclusive"
    if lower > -settings.margin and not missing:
        outcome = "passed"
    elif upper < 0:
        outcome = "failed"
    shares, points = _shares(canary, live), f"{settings.margin * 100:g} points"
    sentence = {
        "passed": f"Passed: {shares}, shown to be less than {points} worse (bound {lower:+.3f}).",
        "failed": f"Failed: {shares}, shown to be worse (at most {upper:+.3f}).",
        "inconclusive": f"Inconclusive: {missing or f'{shares}, not shown to be less than {points} worse.'}",
    }[outcome]
    return CanaryJudgement(outcome, sentence, *_numbers(canary, live), lower, upper, settings.margin)


def is_harm(canary: Tally, live: Tally, margin: float) -> bool:
    """Whether the canary is so surely worse by more than the margin that it must not run on. May be asked any time."""
    return difference_bounds(canary, live, HARM_ALPHA)[1] < -margin


def difference_bounds(canary: Tally, live: Tally, alpha: float) -> tuple[float, float]:
    """One-sided bounds of p - q, the difference of the shares of good answers of two separate groups of readers.

    With l, u the bounds of each share, found by reader (`bounds_of_sums`):
        lower = p - q - sqrt((p - l_p)^2 + (u_q - q)^2),   upper = p - q + sqrt((u_p - p)^2 + (q - l_q)^2)
    which is the hybrid method 10 of Newcombe (Statistics in Medicine 17, 1998, 873-890), shown to hold for any two
    such intervals by Zou and Donner (Statistics in Medicine 27, 2008, 1693-1702). In place of the score interval of
    independent requests stands the interval by reader, which also holds where nothing was bad.

    Example: 60 readers on each side with one good answer each -> -0.044 to +0.044 at alpha 0.05.
    """
    if not canary.answered or not live.answered:
        return -1.0, 1.0
    p, q = canary.bounds(alpha), live.bounds(alpha)
    difference = p.estimate - q.estimate
    down = math.hypot(p.estimate - p.lower, q.upper - q.estimate)
    up = math.hypot(p.upper - p.estimate, q.estimate - q.lower)
    return max(-1.0, difference - down), min(1.0, difference + up)


def _missing(canary: Tally, live: Tally, settings: Canary) -> str:
    """What a side lacks to be judged good on; empty if nothing."""
    needed = families_needed(settings.margin)
    for name, side in (("the canary", canary), ("live", live)):
        answered, readers = sum(side.answered), len(side.answered)
        if answered < settings.min_outcomes or readers < needed:
            return (
                f"{name} has {answered} outcomes of {readers} readers, and {settings.min_outcomes} of {needed} are "
                "needed on each side."
            )
    return ""


def _shares(canary: Tally, live: Tally) -> str:
    return f"{canary.share or 0:.1%} good answers with the canary, {live.share or 0:.1%} without it"


def _numbers(canary: Tally, live: Tally) -> tuple[Counts, Counts, float | None]:
    both = canary.share is not None and live.share is not None
    difference = (canary.share or 0) - (live.share or 0) if both else None
    counts = [Counts(sum(side.good), sum(side.answered), len(side.answered)) for side in (canary, live)]
    return counts[0], counts[1], difference
