"""A question to a person, with the evidence in its body."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator

from liftgate_airflow.step import run_key, with_retries

if TYPE_CHECKING:
    from airflow.sdk import Context

    from liftgate.config.approval import Approval

OPTIONS = ["promote", "reject", "hold"]
SHOWN = "evaluation"
"""The XCom that says which evidence the question shows; the answer is given in another process."""


class WaitForAnswer(HITLOperator):
    """Ask whether the release that the run is about shall go live, and wait without a worker's slot or a triggerer."""

    def __init__(self, *, kb: str, approval: Approval, task_id: str = "wait_for_answer", **options: Any):
        super().__init__(
            task_id=task_id,
            subject=f"Shall a release of {kb} go live?",
            options=OPTIONS,
            defaults=approval.when_nobody_answers,
            response_timeout=timedelta(hours=approval.deadline_hours),
            assigned_users=[{"id": user, "name": user} for user in approval.users] or None,
            **options,
        )
        self.kb = kb

    def execute(self, context: Context) -> Any:
        """Put the evidence into the question, and ask."""
        from liftgate.releases.approval_request import approval_request
        from liftgate.runs import freeze_as_before
        from liftgate_airflow.connection import runtime_from_connection

        runtime = runtime_from_connection()
        with_retries(freeze_as_before, runtime, self.kb, run_key(context))
        asked = with_retries(approval_request, runtime, self.kb, context["params"]["release"])
        self.subject, self.body = asked.subject, asked.body
        context["ti"].xcom_push(SHOWN, asked.evaluation)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """What was answered to which evidence, by whom (nobody: empty), and when."""
        found = super().execute_complete(context, event)
        user, at = found["responded_by_user"], found["responded_at"] or datetime.now(UTC)
        shown = context["ti"].xcom_pull(task_ids=self.task_id, key=SHOWN)
        by = user["name"] if user else ""
        return {"answer": found["chosen_options"][0], "by": by, "at": at.isoformat(), SHOWN: shown}
