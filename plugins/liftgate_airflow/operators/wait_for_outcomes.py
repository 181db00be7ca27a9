"""Waits until a canary can be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from liftgate_airflow.step import call_step, run_key, with_retries

if TYPE_CHECKING:
    from airflow.sdk import Context


class WaitForOutcomes(BaseOperator):
    """Wait in the triggerer until the canary of the release that the run is about has ended, or can be judged.

    When its time is up stands in the ledger, so that nothing is lost when a triggerer starts again.
    """

    def __init__(self, *, kb: str, task_id: str = "wait_for_outcomes", poll_seconds: float = 60, **options: Any):
        super().__init__(task_id=task_id, **options)
        self.kb = kb
        self.poll_seconds = poll_seconds

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Take the configuration of the newest run, as approvals do, and defer unless there is nothing to wait for."""
        from liftgate.runs import freeze_as_before
        from liftgate_airflow.connection import runtime_from_connection
        from liftgate_airflow.triggers.outcomes import OutcomesTrigger

        key, release = run_key(context), context["params"]["release"]
        if event is None:
            with_retries(freeze_as_before, runtime_from_connection(), self.kb, key)
        if call_step("liftgate.releases.canary_steps.seconds_left", key, release) > 0:
            # No time-out: the trigger knows the canary's end.
            self.defer(trigger=OutcomesTrigger(key, release, self.poll_seconds), method_name="execute")
        print(f"The canary of release {release} of {self.kb} waits for nothing more.")
