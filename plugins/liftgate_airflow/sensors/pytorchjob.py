"""Waits for a PyTorchJob that somebody else made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from airflow.sdk import Context

    from liftgate_airflow.triggers.pytorchjob import PyTorchJobTrigger

_AGAIN = "whoever made the job makes it again; then clear this task."


class PyTorchJobSensor(BaseOperator):
    """Wait until a job of this name has succeeded; it need not be there yet. Ending the task leaves the job alone.

    Raises JobFailed with the reasons of its pods where it fails, JobLost where it is deleted meanwhile.

    Example:
        PyTorchJobSensor(task_id="wait_for_base", namespace="llm", name="pretrain-7", deadline_seconds=6 * 3600)
    """

    template_fields: Sequence[str] = ("namespace", "name", "kubernetes_conn_id")

    def __init__(
        self,
        *,
        name: str,
        namespace: str = "default",
        kubernetes_conn_id: str = "kubernetes_default",
        deadline_seconds: float | None = None,
        poll_seconds: float = 30,
        show_log: bool = False,
        deferrable: bool = True,
        **options: Any,
    ):
        """deadline_seconds: from the start of this task on."""
        super().__init__(**options)
        self.name = name
        self.namespace = namespace
        self.kubernetes_conn_id = kubernetes_conn_id
        self.deadline_seconds = deadline_seconds
        self.poll_seconds = poll_seconds
        self.show_log = show_log
        self.deferrable = deferrable

    def execute(self, context: Context) -> None:
        """Wait in the triggerer, or here."""
        if self.deferrable:
            self.defer(trigger=self._trigger(), method_name="execute_complete")
        self.execute_complete(context, asyncio.run(self._trigger(self._hook().conn_extras).first()))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Raise where the end is not success."""
        from liftgate.jobs.backend import JobRef, Phase
        from liftgate.jobs.kubeflow import KubeflowBackend
        from liftgate_airflow.job_events import JobEvent

        told = JobEvent(**event)
        ref = JobRef("PyTorchJob", self.namespace, self.name, told.uid)
        succeeded = told.phase == Phase.SUCCEEDED
        ending = told.ending(lambda: KubeflowBackend(self._hook().api_client), ref, lambda: succeeded, again=_AGAIN)
        if ending.error:
            raise ending.error

    def _hook(self) -> KubernetesHook:
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

        return KubernetesHook(conn_id=self.kubernetes_conn_id)

    def _trigger(self, connection_extras: dict[str, Any] | None = None) -> PyTorchJobTrigger:
        from liftgate_airflow.triggers.pytorchjob import PyTorchJobTrigger

        return PyTorchJobTrigger(
            namespace=self.namespace,
            name=self.name,
            uid=None,
            kubernetes_conn_id=self.kubernetes_conn_id,
            poll_seconds=self.poll_seconds,
            deadline=None if self.deadline_seconds is None else time.time() + self.deadline_seconds,
            show_log=self.show_log,
            cancel_on_kill=False,
            connection_extras=connection_extras,
        )
