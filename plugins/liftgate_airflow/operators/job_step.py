"""A step of a flow whose work is done by jobs of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from liftgate_airflow.operators.pytorchjob import PyTorchJobOperator
from liftgate_airflow.step import call_step, run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from liftgate.config.jobs import JobBlock
    from liftgate.jobs.backend import Manifest
    from liftgate.jobs.kubeflow import JobKind
    from liftgate.jobs.work import Work
    from liftgate_airflow.job_events import JobEvent

GIVEN_IS_WRONG = (2, 3)
"""Exit codes of the trainer: something given to it is wrong, or the loss is no number any more."""
JOB_UID = "job_uid"
"""The XCom that has the uid of the job that did the work; None where the result was known already."""


class JobStep(PyTorchJobOperator):
    """Do some work of the library (`liftgate.jobs.work.Work`) by jobs, unless its result is known.

    Returns the result. Work that takes several jobs gets them one after the other.

    Example:
        JobStep(task_id="train", work="liftgate.training.train.Training", job=config.training, given=[digest])
    """

    template_fields: Sequence[str] = (*PyTorchJobOperator.template_fields, "given")

    def __init__(self, *, work: str, job: JobBlock, given: Sequence[Any], **options: Any):
        super().__init__(
            manifest={},
            kubernetes_conn_id=job.kubernetes_conn_id,
            deadline_seconds=job.deadline_seconds,
            dashboard_url=job.dashboard_url,
            permanent_exit_codes=GIVEN_IS_WRONG,
            **options,
        )
        self.work = work
        self.job = job
        self.given = list(given)
        self._done: str | None = None

    def execute(self, context: Context) -> Any:
        """The result, or the next job on the way to it."""
        known = self._work(context).known()
        if known is None:
            return super().execute(context)
        kept = self.attempt or self._kept(context)
        context["ti"].xcom_push(JOB_UID, kept.uid if kept else None)
        return known

    def job_manifest(self, context: Context) -> Manifest:
        """The job that the work asks for now."""
        from liftgate.jobs.work import next_manifest

        return next_manifest(self._backend(self._kind()), self._work(context), self._done)

    def is_whole(self, context: Context, phase: str) -> bool:
        """Whether the work is done. It is known by what it was made from, so it does not matter which job did it."""
        from liftgate.jobs.backend import Phase

        return phase == Phase.SUCCEEDED or self._work(context).known() is not None

    def _recorded_success(self, context: Context) -> Any:
        """Nothing: whether the work is done is known by its result."""
        return None

    def report(self, context: Context, event: JobEvent) -> Any:
        """The result, once nothing is left to do; a job that left nothing that counts is not repeated."""
        self._done = self.attempt.spec_hash if self.attempt else None
        return self.execute(context)

    def _kind(self) -> JobKind:
        from liftgate.jobs.kinds import kind_named

        return kind_named(self.job.backend, self.job.runtime)

    def _work(self, context: Context) -> Work:
        work: Work = call_step(self.work, run_key(context), *self.given)
        return work
