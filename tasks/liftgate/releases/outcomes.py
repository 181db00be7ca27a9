"""The last steps of a run: what becomes of its candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.database import Connection
from liftgate.generations import last_closed
from liftgate.releases import promotion
from liftgate.releases.canary import why_no_promotion
from liftgate.releases.ledger import Release, lock_ledger, newest_verdict, record, release, releases
from liftgate.releases.standing import behind_since
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

RUNS_AFTER_A_MOVE = 2


def promote(runtime: Runtime, run: Run, candidate: int) -> str:
    """Make the candidate live. Returns promoted, or superseded where something else went live meanwhile."""
    return promotion.promote(runtime, run.kb, candidate, by=run.run_id, run_id=run.run_id, why="measured lift")


def reject(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record the rejection. What is live stays live."""
    promotion.reject(runtime, run, candidate)


def hold(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record that the candidate waits, for evidence or for the promotion hold to be lifted."""
    promotion.hold_back(runtime, run, candidate)


def component_of(runtime: Runtime, run: Run, candidate: int) -> str:
    """What the candidate changes: retrieval, prompt or adapter."""
    with runtime.database.transaction() as connection:
        return release(connection, run.kb, candidate).component


def needs_new_run(runtime: Runtime, run: Run, candidate: int) -> bool:
    """Whether to start one new run: the candidate is superseded since its parent moved, and no newer one contains it.

    The new run judges the same thing against what is live now, with nothing indexed or trained again. After
    RUNS_AFTER_A_MOVE of those, something else goes live all the time: the candidate is held, for a person to look.
    """
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        this, newest = release(connection, run.kb, candidate), last_closed(connection, run.kb)
        if this.outcome != "superseded":
            return False
        retrieval = this.component == "retrieval"
        if retrieval and newest and newest.generation > this.makeup.retrieval.generation:
            print(f"Generation {newest.generation} contains release {candidate} of {run.kb}: its own run judges it.")
            return False
        part = this.makeup.parts()[this.component]
        moved = [one for one in releases(connection, run.kb) if one.makeup.parts()[this.component] == part]
        moved = [one for one in moved if one.component == this.component and one.outcome == "superseded"]
        if len(moved) <= RUNS_AFTER_A_MOVE:
            return True
        why = f"its parent moved {len(moved)} times; run again when nothing else is being promoted"
        record(connection, run.kb, "held", by=run.run_id, run_id=run.run_id, release=candidate, why=why)
    print(f"Release {candidate} of {run.kb} is held: {why}")
    return False


def notify(runtime: Runtime, run: Run, candidate: int) -> str:
    """Say in one line what became of the candidate, and how long live has been behind its sources."""
    with runtime.database.transaction() as connection:
        became = _became(connection, release(connection, run.kb, candidate))
        behind = behind_since(connection, run.kb)
    line = f"Release {candidate} of {run.kb}: {became}."
    if behind:
        line += f" Live has been behind its sources since {behind:%Y-%m-%d %H:%M:%S}."
    print(line)
    return line


def _became(connection: Connection, candidate: Release) -> str:
    """Example: one whose canary runs -> "judged promote; its canary: it runs until 2025-03-04 09:30 UTC"."""
    judged = newest_verdict(connection, candidate)
    if candidate.outcome or judged is None:
        return candidate.outcome or "waits for a verdict"
    tried = why_no_promotion(connection, candidate) if judged["outcome"] == "promote" else None
    return f"judged {judged['outcome']}" + (f"; its canary: {tried.rstrip('.')}" if tried else "")
