"""Canaries as people look at them: the one that runs, and what was found of one that has ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from liftgate.database import Connection
from liftgate.gate.canary import CanaryJudgement, judge
from liftgate.releases.canary import RunningCanary, running_canary, tallies


@dataclass(frozen=True)
class CanarySoFar:
    """A canary that runs, and what would be found if its time were up."""

    canary: RunningCanary
    found: CanaryJudgement

    def lines(self) -> Iterator[str]:
        """In words."""
        one = self.canary
        yield (
            f"A canary of release {one.release} runs from {one.since:%Y-%m-%d %H:%M} to {one.until:%Y-%m-%d %H:%M}: "
            f"{one.settings} get its adapter. It is judged at the end."
        )
        yield f"So far, {numbers(self.found)}"


def canary_so_far(connection: Connection, kb: str) -> CanarySoFar | None:
    """The running canary of a knowledge base."""
    found = running_canary(connection, kb)
    if found is None:
        return None
    return CanarySoFar(found, judge(*tallies(connection, kb, found.n, found.until), found.settings))


def numbers(found: CanaryJudgement) -> str:
    """Example: good answers: canary 45 of 50 (9 readers), live 401 of 450 (80 readers); difference +0.009 (...)."""
    sides = (("canary", found.canary), ("live", found.live))
    counts = ", ".join(f"{name} {one.good} of {one.answered} ({one.readers} readers)" for name, one in sides)
    if found.difference is None:
        return f"good answers: {counts}."
    bounds = f"95 % bounds {found.lower:+.3f} and {found.upper:+.3f}, needed above {-found.margin:+.3f}"
    return f"good answers: {counts}; difference {found.difference:+.3f} ({bounds})."
