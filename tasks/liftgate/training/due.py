"""Whether an adapter's run has anything to do: a training that is due, or an adapter that is not judged yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from liftgate.database import Connection, queries
from liftgate.evaluation.conditions import answer_conditions
from liftgate.releases.canary import canary_state, name_of, running_canary
from liftgate.releases.ledger import live, release
from liftgate.releases.promotion import decide
from liftgate.runs import Run
from liftgate.training.identity import identity_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def stop_if_nothing_to_do(runtime: Runtime, run: Run, tuning_set: str) -> bool:
    """Whether the run goes on. It stops only if no training is due and the newest adapter is live or judged.

    A training that is not due is not made in a run that goes on either: the newest adapter is judged in its place.
    """
    with runtime.database.transaction() as connection:
        newest = _newest(connection, run)
        due = _due(runtime, connection, run, tuning_set, newest)
        settled = newest is not None and _settled(runtime, connection, run, newest)
    if due or not settled or run.scope.forced:
        return True
    assert newest
    print(f"Nothing to do: adapter {newest['digest'][:12]} is the newest, no training is due, and it is judged.")
    return False


def stored_adapter(runtime: Runtime, run: Run, tuning_set: str) -> str | None:
    """The folder of the adapter that stands for a training which is not due; None: it is due."""
    with runtime.database.transaction() as connection:
        if same := queries().adapter_for(connection, **identity_of(runtime, run, tuning_set)):
            print(f"Adapter {same['digest'][:12]} was trained on this tuning set already.")
            return str(same["uri"])
        newest = _newest(connection, run)
        if newest is None or _due(runtime, connection, run, tuning_set, newest):
            return None
    print(f"No training is due: adapter {newest['digest'][:12]} is judged in its place.")
    return str(newest["uri"])


def _newest(connection: Connection, run: Run) -> dict[str, Any] | None:
    found: dict[str, Any] | None = queries().newest_adapter(connection, kb=run.kb, name=run.adapter.name)
    return found


def _due(runtime: Runtime, connection: Connection, run: Run, tuning_set: str, newest: dict[str, Any] | None) -> bool:
    """Whether a training would teach something new, the last one was long ago, and readers are not trying that."""
    if newest is None:
        return True
    if queries().adapter_for(connection, **identity_of(runtime, run, tuning_set)):
        return False
    if run.scope.forced:
        return True
    canary = running_canary(connection, run.kb)
    if canary and run.adapter.canary and name_of(connection, canary) == run.adapter.name:
        return False
    rest = timedelta(hours=run.adapter.training.min_hours_between_trainings)
    return bool(newest["created_at"] + rest <= datetime.now(UTC))


def _settled(runtime: Runtime, connection: Connection, run: Run, newest: dict[str, Any]) -> bool:
    """Whether the newest adapter is live, or a release with it has its verdict under today's conditions.

    One whose canary is due, waits for another or is overdue, or that has passed it and is not live, is not, nor is one
    that nothing keeps any more: a hold that is lifted, or a canary that the configuration gave up.
    """
    current = live(connection, run.kb)
    if current and current.makeup.adapter and current.makeup.adapter.digest == newest["digest"]:
        return True
    conditions = answer_conditions(runtime, connection, run, run.adapter.gate)
    judged = queries().adapter_verdict(
        connection, kb=run.kb, digest=newest["digest"], evaluation_fingerprint=conditions.fingerprint
    )
    if judged == "promote":
        n = queries().newest_release_with(connection, kb=run.kb, adapter=newest["digest"])
        one = release(connection, run.kb, n)
        state = canary_state(connection, one)
        if one.outcome in (None, "held") and state == "not_needed":
            return decide(runtime, run, n) == "hold"
        return one.outcome == "rejected" or state not in ("waits", "not_started", "overdue", "passed")
    return judged is not None
