"""One writer for a knowledge base: a lease row in the database, with a fence.

A lease that is not renewed runs out, so a dead writer blocks nobody for ever. The fence grows with every
acquisition and every plan; a write transaction checks it under a row lock, so a writer that was overtaken cannot
commit a late write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from liftgate.database import Connection, lock, queries
from liftgate.errors import TurnLost
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Turn:
    """The right to write to a knowledge base, until somebody else gets a higher fence."""

    kb: str
    run_id: str
    fence: int


@dataclass(frozen=True)
class Waiting:
    """Why a run must wait: who holds the turn until when, or which waiting run goes first."""

    holder: str
    until: datetime | None

    def __str__(self) -> str:
        return f"waiting for {self.holder}" + (f", whose turn lasts until {self.until:%H:%M:%S}" if self.until else "")


def take_turn(runtime: Runtime, run: Run) -> Turn | Waiting:
    """Take the turn if it is free and no waiting run goes first. Taking it again renews it.

    Of backfill runs that wait, the earliest interval goes next, after all other runs.
    """
    with runtime.database.transaction() as connection:
        lock(connection, "turn", run.kb)
        queries().ask_for_turn(connection, kb=run.kb, run_id=run.run_id, backfill_from=run.scope.updated_from)
        row = queries().turn(connection, kb=run.kb)
        if row["held"] and row["holder"] != run.run_id:
            return Waiting(row["holder"], row["expires_at"])
        first = queries().first_in_queue(connection, kb=run.kb)
        if row["holder"] != run.run_id and first != run.run_id:
            return Waiting(first, None)
        fence = queries().grant_turn(connection, kb=run.kb, run_id=run.run_id, minutes=run.config.indexing.turn_minutes)
    return Turn(run.kb, run.run_id, fence)


def renew_turn(runtime: Runtime, run: Run, *, new_fence: bool = False) -> Turn:
    """Renew the turn that this run holds; with `new_fence`, also overtake what an earlier plan still writes."""
    with runtime.database.transaction() as connection:
        fence = queries().renew_turn(
            connection,
            kb=run.kb,
            run_id=run.run_id,
            minutes=run.config.indexing.turn_minutes,
            step=1 if new_fence else 0,
        )
        if fence is None:
            raise _lost(run.kb, run.run_id, queries().turn(connection, kb=run.kb)["holder"])
    return Turn(run.kb, run.run_id, fence)


def release_turn(runtime: Runtime, run: Run) -> None:
    """Give the turn back. Does nothing if this run does not hold it."""
    with runtime.database.transaction() as connection:
        queries().release_turn(connection, kb=run.kb, run_id=run.run_id)


def require_turn(connection: Connection, turn: Turn, outlives_seconds: float = 0) -> None:
    """Hold the fence until this transaction ends, so that nobody overtakes it before the commit.

    An index server knows no fence. There the lease has to outlive the longest request: who takes the turn after it
    waits for its end, so no request of ours that is still under way meets one of theirs.
    """
    fence = {"kb": turn.kb, "run_id": turn.run_id, "fence": turn.fence}
    if not queries().hold_fence(connection, **fence, outlives_seconds=outlives_seconds):
        raise _lost(turn.kb, turn.run_id, queries().turn(connection, kb=turn.kb)["holder"])


def _lost(kb: str, run_id: str, holder: str | None) -> TurnLost:
    return TurnLost(
        f"Expected run {run_id} to hold the turn of {kb}, found {holder or 'nobody'} holding it. "
        "Nothing was written. Clear plan_changes and what is downstream of it."
    )
