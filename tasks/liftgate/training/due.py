"""Whether an adapter's run has anything to do: a training that is due, or an adapter that is not judged yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from liftgate.database import Connection, queries
from liftgate.evaluation.conditions import answer_conditions
from liftgate.releases.canary import canary_state
from liftgate.releases.ledger import live, release
from liftgate.releases.promotion import decide
from liftgate.runs import Run
from liftgate.training.train import identity_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def stop_if_nothing_to_do(runtime: Runtime, run: Run, tuning_set: str) -> bool:
    """Whether the run goes on. It stops only if no training is due and the newest adapter is live or judged."""
    with runtime.database.transaction() as connection:
        newest = queries().newest_adapter(connection, kb=run.kb, name=run.adapter.name)
        due = newest is None or _due(runtime, connection, run, tuning_set, newest)
        settled = newest is not None and _settled(runtime, connection, run, newest)
    if due or not settled or run.scope.forced:
        return True
    print(f"Nothing to do: adapter {newest['digest'][:12]} is the newest, no training is due, and it is judged.")
    return False


def _due(runtime: Runtime, connection: Connection, run: Run, tuning_set: str, newest: dict[str, Any]) -> bool:
    if queries().adapter_for(connection, **identity_of(runtime, run, tuning_set)):
        return False
    rest = timedelta(hours=run.adapter.training.min_hours_between_trainings)
    return bool(newest["created_at"] + rest <= datetime.now(UTC))


def _settled(runtime: Runtime, connection: Connection, run: Run, newest: dict[str, Any]) -> bool:
    """Whether the newest adapter is live, or a release with it has its verdict under today's conditions.

    One whose canary is due, waits for another or is overdue, or that has passed it and is not live, is not, nor is one
    that a hold kept from going live and that nothing keeps any more.
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
        if one.outcome == "held" and state == "not_needed":
            return decide(runtime, run, n) == "hold"
        return one.outcome == "rejected" or state not in ("waits", "not_started", "overdue", "passed")
    return judged is not None
