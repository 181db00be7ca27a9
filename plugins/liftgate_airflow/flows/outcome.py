"""The end of every flow that judges a candidate."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, TriggerRule, task

from liftgate_airflow.step import step


def outcome(candidate: Any, emits: list[Asset]) -> Any:
    """decide, then promote, reject or hold, then notify. Returns decide, for what must stand before it.

    A candidate that was superseded leaves promote skipped: nothing changed, so no event is emitted. If that is because
    something else went live meanwhile, the same DAG runs once more.
    """
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    decide = step("liftgate.releases.promotion.decide", kind=task.branch)(candidate)
    promote = step("liftgate.releases.outcomes.promote", skip_on="superseded", outlets=emits)(candidate)
    reject = step("liftgate.releases.outcomes.reject")(candidate)
    hold = step("liftgate.releases.outcomes.hold")(candidate)
    notify = step("liftgate.releases.outcomes.notify", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(candidate)
    moved = step(
        "liftgate.releases.outcomes.needs_new_run", kind=task.short_circuit, trigger_rule=TriggerRule.NONE_FAILED
    )(candidate)
    run_again = TriggerDagRunOperator(
        task_id="run_again",
        trigger_dag_id="{{ dag.dag_id }}",
        # The same at every retry, so that one run comes of it.
        trigger_run_id="after__{{ run_id }}",
        skip_when_already_exists=True,
    )
    decide >> [promote, reject, hold] >> notify
    [promote, reject, hold] >> moved >> run_again
    return decide
