"""The newest verdict on a release, as the ledger has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liftgate.database import Connection, queries
from liftgate.gate.verdict import Verdict
from liftgate.releases.ledger import Release


@dataclass(frozen=True)
class Judged:
    """A verdict with the evaluation that it was computed from. `release`: the one that it was formed on."""

    evaluation_id: int
    release: int
    decided_at: datetime
    verdict: Verdict
    sides: tuple[str, ...]
    """What was measured: candidate, and whatever it was compared with."""

    @property
    def against(self) -> tuple[str, ...]:
        """What the candidate was compared with."""
        return tuple(side for side in ("baseline", "live", "anchor") if side in self.sides)


def newest_judged(connection: Connection, of: Release) -> Judged | None:
    """The verdict that was reached last on a release or on its equal; None: it has none."""
    verdicts = queries().verdicts_of(connection, kb=of.kb, candidate_fingerprint=of.fingerprint)
    row: dict[str, Any] | None = next(iter(verdicts), None)
    if row is None:
        return None
    sides = queries().measured_sides(connection, evaluation_id=row["evaluation_id"])
    return Judged(
        evaluation_id=row["evaluation_id"],
        release=row["release"],
        decided_at=row["decided_at"],
        verdict=Verdict.from_json(row["verdict"]),
        sides=tuple(side["side"] for side in sides),
    )
