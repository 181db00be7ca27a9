"""The end of every flow that judges a candidate."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, TriggerRule, task

from liftgate_airflow.step import step


def outcome(candidate: Any, emits: list[Asset]) -> Any:
    """decide, then promote, reject or hold, then notify. Returns decide, for what must stand before it.

    A candidate that was superseded leaves promote skipped: nothing changed, so no event is emitted.
    """
    decide = step("liftgate.releases.promotion.decide", kind=task.branch)(candidate)
    promote = step("liftgate.releases.outcomes.promote", skip_on="superseded", outlets=emits)(candidate)
    reject = step("liftgate.releases.outcomes.reject")(candidate)
    hold = step("liftgate.releases.outcomes.hold")(candidate)
    notify = step("liftgate.releases.outcomes.notify", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(candidate)
    decide >> [promote, reject, hold] >> notify
    return decide
