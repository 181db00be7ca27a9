"""A plan, as it lies in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from liftgate.database import Connection, queries
from liftgate.errors import TurnLost


class Change(StrEnum):
    """How a document stands between the listing and the manifest."""

    NEW = "new"
    CHANGED = "changed"
    AGAIN = "again"
    """Listed with the same hint, but parser, chunker or a forced run ask for it."""
    GONE = "gone"
    SAME = "same"


@dataclass(frozen=True)
class Plan:
    """What a run does: `index` writes a generation, `verify` only judges again, `nothing` stops."""

    id: int
    kb: str
    run_id: str
    kind: str
    generation: int
    serial: int
    fence: int
    counts: dict[str, Any]
    planned_at: datetime


def newest_plan(connection: Connection, kb: str, run_id: str) -> Plan:
    """The plan that a run follows. Raises TurnLost if it has none."""
    row = queries().newest_plan(connection, kb=kb, run_id=run_id)
    if row is None:
        raise TurnLost(f"Expected a plan of run {run_id}, found none. Clear plan_changes and what is downstream of it.")
    return Plan(**row)


def batches_of(connection: Connection, plan: Plan) -> list[int]:
    """The numbers of a plan's batches. Never empty, so that a mapped task over them is never skipped."""
    return [row["batch"] for row in queries().batches_of_plan(connection, plan_id=plan.id)] or [0]
