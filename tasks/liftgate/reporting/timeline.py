"""The releases of a knowledge base, in few queries however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from liftgate.database import Connection, queries
from liftgate.releases.ledger import Release
from liftgate.releases.makeup import Makeup


@dataclass(frozen=True)
class ReleaseLine:
    """A release with the verdict that was reached last on it."""

    release: Release
    live: bool
    verdict: str | None
    summary: str | None
    """The first sentence of the verdict."""
    means: dict[str, float]
    """The candidate's mean of each metric."""
    was_live: bool
    pruned: bool

    @property
    def n(self) -> int:
        """Its number."""
        return self.release.n

    @property
    def outcome(self) -> str:
        """Example: a release that a rollback of one part made, and nobody promoted -> "unjudged, rolled_back"."""
        outcome = self.release.outcome or "open"
        return f"unjudged, {outcome}" if self.release.unjudged else outcome

    @property
    def can_go_back_to(self) -> bool:
        """Whether `roll_back` may choose it."""
        return self.was_live and not self.pruned and not self.live


@dataclass(frozen=True)
class LivePeriod:
    """From when until when readers saw a release; no end while they do."""

    release: int
    since: datetime
    until: datetime | None


def timeline(connection: Connection, kb: str, most: int | None = None) -> list[ReleaseLine]:
    """Every release, oldest first; or so many of the newest, and those before that can go live again."""
    current = queries().live_release(connection, kb=kb)
    lines = []
    for row in queries().release_lines(connection, kb=kb, most=most):
        more = {name: row.pop(name) for name in ("verdict", "summary", "means", "was_live", "pruned")}
        release = Release(**{**row, "makeup": Makeup.model_validate(row["makeup"])})
        lines.append(ReleaseLine(release, row["n"] == current, **{**more, "means": more["means"] or {}}))
    return lines


def live_periods(connection: Connection, kb: str) -> list[LivePeriod]:
    """What was live when, oldest first. A release that came back has several periods."""
    return [LivePeriod(**row) for row in queries().live_periods(connection, kb=kb)]


def metrics_of(lines: Sequence[ReleaseLine]) -> list[str]:
    """The metrics that releases were measured by: what the most have first, recall first where many are equal."""
    counts = Counter(metric for line in lines for metric in line.means)
    return sorted(counts, key=lambda name: (-counts[name], name != "recall", name))
