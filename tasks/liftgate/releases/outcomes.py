"""The last steps of a run: what becomes of its candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.database import queries
from liftgate.releases import promotion
from liftgate.releases.standing import behind_since
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def promote(runtime: Runtime, run: Run, candidate: int) -> str:
    """Make the candidate live. Returns promoted, or superseded where something else went live meanwhile."""
    return promotion.promote(runtime, run.kb, candidate, by=run.run_id, run_id=run.run_id, why="measured lift")


def reject(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record the rejection. What is live stays live."""
    promotion.reject(runtime, run, candidate)


def hold(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record that the candidate waits, for evidence or for the promotion hold to be lifted."""
    promotion.hold_back(runtime, run, candidate)


def notify(runtime: Runtime, run: Run, candidate: int) -> str:
    """Say in one line what became of the candidate, and how long live has been behind its sources."""
    with runtime.database.transaction() as connection:
        row = queries().release(connection, kb=run.kb, n=candidate)
        behind = behind_since(connection, run.kb)
    line = f"Release {candidate} of {run.kb}: {row['outcome'] or 'waits for a verdict'}."
    if behind:
        line += f" Live has been behind its sources since {behind:%Y-%m-%d %H:%M:%S}."
    print(line)
    return line
