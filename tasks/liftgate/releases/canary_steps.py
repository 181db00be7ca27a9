"""The steps of a canary: it is started in place of a promotion, runs, and is judged once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from liftgate.config.canary import Canary
from liftgate.database import Connection, queries
from liftgate.errors import PromotionRefused
from liftgate.gate.canary import CanaryJudgement, is_harm, judge
from liftgate.releases.canary import (
    RunningCanary,
    canary_settings,
    canary_state,
    running_canary,
    tallies,
    why_no_promotion,
)
from liftgate.releases.ledger import Release, live, lock_ledger, record, release
from liftgate.releases.promotion import branch_of, may_follow, record_end, require_allowed
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

ENDED_OTHERWISE = 0


def start_canary(runtime: Runtime, run: Run, candidate: int) -> dict[str, Any] | Literal["superseded"]:
    """Let some readers have the candidate's adapter, with the same checks as a promotion in one transaction.

    It takes the place of another adapter's canary that still runs. Repeated while it runs, it changes nothing. Returns
    what the run that waits for it needs: adapter, release, the number of its event and the name of that run; superseded
    where something else went live meanwhile. Raises PromotionRefused where the ledger would not allow a promotion, and
    after the canary's end: who clears this step must not try again what was judged, or what a person ended.
    """
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        asked, current = release(connection, run.kb, candidate), live(connection, run.kb)
        settings, part = canary_settings(connection, asked), asked.makeup.adapter
        if settings is None or part is None:
            raise PromotionRefused(
                f"Expected `canary` in the file of the adapter of release {candidate} of {run.kb}, found none. "
                "Promote it, or add the block and run again."
            )
        if not may_follow(connection, asked, current, run.run_id, run.run_id):
            return "superseded"
        require_allowed(connection, asked)
        running = running_canary(connection, run.kb)
        if running is None or running.adapter != part.digest:
            _require_due(connection, asked)
            _record_start(connection, run, asked, settings)
            running = running_canary(connection, run.kb)
        assert running
    print(f"{running.settings} get the adapter of release {candidate}, until {running.until:%Y-%m-%d %H:%M} UTC.")
    waits = _name_of_run(running, run)
    return {"adapter": part.name, "release": running.release, "canary": running.n, "run": waits}


def _name_of_run(running: RunningCanary, run: Run) -> str:
    """One for each canary, so that a repeated step starts no second run; another when nobody judged it in time.

    The run of an overdue one has failed, or is late: judged by both, it is judged once.
    """
    name = f"release_{running.release}__canary_{running.n}"
    return name if datetime.now(UTC) < running.until else f"{name}__overdue_{run.run_id}"


def _require_due(connection: Connection, asked: Release) -> None:
    if canary_state(connection, asked) != "not_started":
        found = why_no_promotion(connection, asked) or "it has passed."
        raise PromotionRefused(
            f"Expected a canary of the adapter of release {asked.n} of {asked.kb} to be due, found: {found} "
            "Clear decide, which goes by that."
        )


def seconds_left(runtime: Runtime, run: Run, candidate: int, now: datetime | None = None) -> float:
    """How long to wait for the canary of a release. 0: its time is up, or it runs no longer.

    One that does harm is judged here, when that is seen: some good answers more, before anybody else looks, would let
    it run on with nobody who waits for it.
    """
    at = now or datetime.now(UTC)
    with runtime.database.transaction() as connection:
        running = _running(connection, run.kb, candidate)
        if running is None or at >= running.until:
            return 0.0
        if not _does_harm(connection, running):
            return (running.until - at).total_seconds()
        lock_ledger(connection, run.kb)
        if running := _running(connection, run.kb, candidate):
            _judge(connection, running, run)
    return 0.0


def judge_canary(runtime: Runtime, run: Run, candidate: int, now: datetime | None = None) -> int:
    """Judge the canary of a release, once, and return the release to decide about: the newest with the same adapter.

    One without a verdict does not count: the run that judges it decides about it, and goes by this canary.
    0: it was ended by something else, such as a newer canary or a rollback, and nothing is judged. Raises
    PromotionRefused before its time is up, unless it does harm: what is looked at until it passes, passes by chance.
    """
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        running = _running(connection, run.kb, candidate)
        if running and not _is_due(connection, running, now or datetime.now(UTC)):
            raise PromotionRefused(
                f"Expected the canary of release {candidate} of {run.kb} to be over, found that it runs until "
                f"{running.until:%Y-%m-%d %H:%M} UTC. Clear wait_for_outcomes."
            )
        if running:
            _judge(connection, running, run)
        started = queries().canary_of_release(connection, kb=run.kb, release=candidate)
        ended = queries().end_of_canary(connection, kb=run.kb, canary=started["n"]) if started else None
        if started is None or ended is None:
            print(f"The canary of release {candidate} of {run.kb} was ended by something else: nothing is judged.")
            return ENDED_OTHERWISE
        newest: int = _newest_judged(connection, run.kb, started["details"]["adapter"])
    print(ended["details"]["judgement"]["sentence"])
    return newest


def end_canary(runtime: Runtime, kb: str, candidate: int, *, by: str, run_id: str, why: str) -> bool:
    """End the canary of a release at once, as failed: a person's no stands for the adapter. False: it does not run.

    What the canary's run would reject for it is rejected here, since that run may be the one that a person marked as
    failed: the newest judged release with the adapter.
    """
    with runtime.database.transaction() as connection:
        lock_ledger(connection, kb)
        running = _running(connection, kb, candidate)
        if running is None:
            return False
        found = judge(*tallies(connection, kb, running.n, running.until), running.settings)
        ended = replace(found, outcome="failed", sentence=f"Failed: ended by {by}: {why}.")
        _record_end(connection, running, ended, by, run_id)
        newest = release(connection, kb, _newest_judged(connection, kb, running.adapter))
        if branch_of(connection, newest) == "reject":
            record_end(connection, newest, "rejected", by=by, run_id=run_id)
    print(f"The canary of release {candidate} of {kb} has ended: all readers get what is live.")
    return True


def _running(connection: Connection, kb: str, candidate: int) -> RunningCanary | None:
    found = running_canary(connection, kb)
    return found if found and found.release == candidate else None


def _newest_judged(connection: Connection, kb: str, adapter: str) -> int:
    n: int = queries().newest_judged_release_with(connection, kb=kb, adapter=adapter)
    return n


def _is_due(connection: Connection, running: RunningCanary, now: datetime) -> bool:
    return now >= running.until or _does_harm(connection, running)


def _judge(connection: Connection, running: RunningCanary, run: Run) -> None:
    found = judge(*tallies(connection, run.kb, running.n, running.until), running.settings)
    _record_end(connection, running, found, run.run_id, run.run_id)


def _does_harm(connection: Connection, running: RunningCanary) -> bool:
    return is_harm(*tallies(connection, running.kb, running.n, running.until), running.settings.margin)


def _record_start(connection: Connection, run: Run, asked: Release, settings: Canary) -> None:
    assert asked.makeup.adapter
    record(
        connection,
        run.kb,
        "canary_started",
        by=run.run_id,
        run_id=run.run_id,
        release=asked.n,
        why=f"{settings} for {settings.hours:g} h",
        details={"adapter": asked.makeup.adapter.digest, "settings": settings.model_dump()},
    )


def _record_end(connection: Connection, running: RunningCanary, found: CanaryJudgement, by: str, run_id: str) -> None:
    same = {"canary": running.n, "adapter": running.adapter, "settings": running.settings.model_dump()}
    record(
        connection,
        running.kb,
        "canary_ended",
        by=by,
        run_id=run_id,
        release=running.release,
        why=found.sentence,
        details={**same, "judgement": found.as_json()},
    )
