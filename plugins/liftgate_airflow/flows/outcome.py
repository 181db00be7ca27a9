"""The end of every flow that judges a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, TriggerRule, task

from liftgate_airflow import telling
from liftgate_airflow.step import step

if TYPE_CHECKING:
    from liftgate.config.knowledge_base import KnowledgeBase


def outcome(
    candidate: Any,
    promote: Any,
    approve: str | None = None,
    again: str = "{{ dag.dag_id }}",
    canary: bool = False,
) -> Any:
    """decide, then promote, reject or hold, then notify. Returns decide, for what must stand before it.

    A candidate that was superseded leaves promote skipped: nothing changed, so no event is emitted. If that is because
    something else went live meanwhile, the DAG `again`, by default the same, runs once more. `approve` names the DAG
    that asks a person, where one is to be asked; `canary`: whether some readers may get the candidate first.
    """
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    decide = step("liftgate.releases.promotion.decide", kind=task.branch)(candidate, approve is not None, canary)
    reject = step("liftgate.releases.outcomes.reject")(candidate)
    hold = step("liftgate.releases.outcomes.hold")(candidate)
    ends = [promote, reject, hold, *([_asked(candidate, approve)] if approve else [])]
    ends += [_tried(candidate)] if canary else []
    notify = step(
        "liftgate.releases.outcomes.notify",
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        then=telling.after_outcome,
    )(candidate)
    moved = step(
        "liftgate.releases.outcomes.needs_new_run", kind=task.short_circuit, trigger_rule=TriggerRule.NONE_FAILED
    )(candidate)
    run_again = TriggerDagRunOperator(
        task_id="run_again",
        trigger_dag_id=again,
        # The same at every retry, so that one run comes of it.
        trigger_run_id="after__{{ run_id }}",
        skip_when_already_exists=True,
    )
    decide >> ends >> notify
    ends >> moved >> run_again
    return decide


def promotion(candidate: Any, emits: list[Asset]) -> Any:
    """The task that makes the candidate live, and says so by asset events."""
    return step("liftgate.releases.outcomes.promote", skip_on="superseded", outlets=emits)(candidate)


def approval_of(config: KnowledgeBase, kind: str) -> str | None:
    """The DAG that asks a person about candidates of that kind, if the configuration wants one."""
    return f"approve_{config.name}" if config.approval and kind in config.approval.of else None


def _asked(candidate: Any, approve: str) -> Any:
    """Note in the ledger that a person is asked, and start the run that asks: one for each release and its evidence."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    evaluation = step("liftgate.releases.approval.ask_for_approval")(candidate)
    pulled = "{{{{ ti.xcom_pull(task_ids='{}') }}}}"
    release = pulled.format(candidate.operator.task_id)
    evaluation >> TriggerDagRunOperator(
        task_id="start_approval",
        trigger_dag_id=approve,
        trigger_run_id=f"release_{release}__evaluation_{pulled.format('ask_for_approval')}",
        conf={"release": candidate},
        skip_when_already_exists=True,
    )
    return evaluation


def _tried(candidate: Any) -> Any:
    """Note in the ledger that a canary runs, and start the run that waits for its end: one for each canary in time."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    started = step("liftgate.releases.canary_steps.start_canary", skip_on="superseded")(candidate)
    pulled = "{{{{ ti.xcom_pull(task_ids='start_canary')['{}'] }}}}"
    started >> TriggerDagRunOperator(
        task_id="trigger_canary",
        trigger_dag_id=f"canary_{pulled.format('adapter')}",
        trigger_run_id=pulled.format("run"),
        conf=started,  # with the release whose canary runs: it may be an earlier one with the same adapter
        skip_when_already_exists=True,
    )
    return started
