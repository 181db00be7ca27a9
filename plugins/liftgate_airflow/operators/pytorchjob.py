"""Runs a Kubeflow PyTorchJob as a task."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from liftgate.jobs.attempts import Attempt
    from liftgate.jobs.backend import Manifest
    from liftgate.jobs.kubeflow import JobKind, KubeflowBackend
    from liftgate_airflow.job_events import JobEvent
    from liftgate_airflow.triggers.pytorchjob import PyTorchJobTrigger

STATE_KEY = "pytorchjob"
"""In the task's state store: the newest attempt. Shown in Airflow's UI beside the task."""


class JobLink(BaseOperatorLink):
    """To the job in the team's own dashboard."""

    name = "Job"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """`dashboard_url` with the job's namespace and name filled in; empty before there is a job."""
        attempt = getattr(operator, "attempt", None)
        template = getattr(operator, "dashboard_url", None)
        return template.format(namespace=attempt.namespace, name=attempt.name) if template and attempt else ""


class PyTorchJobOperator(BaseOperator):
    """Run a PyTorchJob on a cluster and wait for its end, without a worker's slot while it runs.

    Whatever fails in between, there is exactly one job for each attempt: it is named after the task instance and the
    attempt, and a try that finds the job of the last one waits for that. A new attempt begins only after the last one
    is recorded as ended. Ending the task by hand deletes the job with its pods.

    Returns {"namespace", "name", "uid", "number", "progress"}. Raises JobFailed with the reason of every pod that is in
    trouble and its last lines, JobLost where the job is gone, JobRefused where the manifest or the account is not
    accepted.

    Example:
        PyTorchJobOperator(task_id="train", manifest="jobs/train.yaml", deadline_seconds=3600)
    """

    template_fields: Sequence[str] = ("manifest", "namespace", "result", "dashboard_url", "kubernetes_conn_id")
    template_ext: Sequence[str] = (".yaml", ".yml")
    template_fields_renderers = {"manifest": "yaml"}
    operator_extra_links = (JobLink(),)

    def __init__(
        self,
        *,
        manifest: dict[str, Any] | str,
        namespace: str | None = None,
        kubernetes_conn_id: str = "kubernetes_default",
        deadline_seconds: float | None = None,
        poll_seconds: float = 10,
        show_log: bool = True,
        result: str | None = None,
        dashboard_url: str | None = None,
        permanent_exit_codes: Sequence[int] = (),
        deferrable: bool = True,
        **options: Any,
    ):
        """What to run and how to wait for it.

        Args:
            manifest: a PyTorchJob (or a TrainJob) as a dict, as YAML, or as a path that ends in .yaml; templated.
            namespace: in place of the manifest's; then the connection's, then "default".
            deadline_seconds: from the first submission of an attempt on, the time in a queue included.
            show_log: whether the Master's log is shown in the task's log while it runs.
            result: address of the folder in which the job writes a `manifest.json` last, with the hashes of the other
                files: a job that is gone is taken as successful if that is whole and names the job.
            permanent_exit_codes: exit codes by which the job says that a retry cannot help.
            dashboard_url: like https://dashboard.example.com/jobs/{namespace}/{name}, for the task's "Job" button.
        """
        super().__init__(**options)
        self.manifest = manifest
        if not isinstance(manifest, str):
            self.template_ext = ()  # an argument of the job that ends in .yaml is no file of ours
        self.namespace = namespace
        self.kubernetes_conn_id = kubernetes_conn_id
        self.deadline_seconds = deadline_seconds
        self.poll_seconds = poll_seconds
        self.show_log = show_log
        self.result = result
        self.dashboard_url = dashboard_url
        self.permanent_exit_codes = permanent_exit_codes
        self.deferrable = deferrable
        self.attempt: Attempt | None = None

    def execute(self, context: Context) -> Any:
        """Submit the job or find that of an earlier try, and wait."""
        recorded = self._recorded_success(context)
        if recorded is not None:
            return recorded
        self.attempt = found = self._attach(context)
        print(f"Waits for {found.kind} {found.namespace}/{found.name}, attempt {found.number}.")
        if self.deferrable:
            # No time-out: the trigger knows the deadline, and if no triggerer runs, the job is not given up.
            self.defer(trigger=self._trigger(), method_name="execute_complete")
        return self.execute_complete(context, asyncio.run(self._trigger(self._hook().conn_extras).first()))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record how the attempt ended; raise where that is not success."""
        from liftgate.errors import JobLost
        from liftgate.jobs.attempts import end
        from liftgate_airflow.job_events import OVERDUE, JobEvent

        told, attempt = JobEvent(**event), self._kept(context)
        if attempt is None:
            raise JobLost(f"Expected {STATE_KEY} in the task's state store, found nothing. Clear this task.")
        self.attempt = attempt
        if told.phase == OVERDUE:
            told = told.unless_ended(self._backend_of(attempt).status(attempt.ref))
        is_whole = partial(self.is_whole, context, told.phase)
        ending = told.ending(partial(self._backend_of, attempt), attempt.ref, is_whole, self.permanent_exit_codes)
        if told.phase == OVERDUE:
            end(self._backend_of(attempt), attempt.ref)
        self._keep(context, replace(attempt, ended=ending.phase))
        if ending.error:
            raise ending.error
        return self.report(context, told)

    def is_whole(self, context: Context, phase: str) -> bool:
        """Whether the job's result is there. A job that vanished has to be named in it: it could be an older one's."""
        from liftgate.errors import ArtifactCorrupt
        from liftgate.jobs.backend import Phase
        from liftgate.jobs.results import verified_manifest

        if self.result is None or self.attempt is None:
            return phase == Phase.SUCCEEDED
        try:
            job = verified_manifest(self.result).get("job")
        except ArtifactCorrupt:
            return False
        return phase == Phase.SUCCEEDED or job == f"{self.attempt.namespace}/{self.attempt.name}"

    def report(self, context: Context, event: JobEvent) -> Any:
        """What the task returns after success."""
        assert self.attempt is not None
        found = {name: getattr(self.attempt, name) for name in ("namespace", "name", "uid", "number")}
        return {**found, "progress": event.progress}

    def on_kill(self) -> None:
        """Delete the job when the worker is told to end its task: by a person, or where not deferrable by a drain."""
        attempt = self.attempt
        if attempt is None or attempt.ended:
            return
        backend = self._backend_of(attempt)
        ref = attempt.ref if attempt.uid else backend.find(attempt.namespace, attempt.name)
        if ref is not None:
            backend.cancel(ref)
            print(f"{ref.name} is deleted.")

    def job_manifest(self, context: Context) -> Manifest:
        """The job without its identity. Raises JobRefused where it is no manifest."""
        from liftgate.jobs.reading import read_manifest

        return read_manifest(self.manifest, self.namespace, self._hook().get_namespace())

    def _recorded_success(self, context: Context) -> Any:
        """The report of an attempt that had succeeded before the worker died. Clearing the task raises its tries."""
        from liftgate.jobs.backend import Phase
        from liftgate_airflow.job_events import JobEvent

        kept = self._kept(context)
        if kept is None or kept.ended != Phase.SUCCEEDED or kept.max_tries != context["ti"].max_tries:
            return None
        self.attempt = kept
        return self.report(context, JobEvent(Phase.SUCCEEDED, kept.uid or ""))

    def _attach(self, context: Context) -> Attempt:
        from liftgate.jobs.attempts import attach
        from liftgate.jobs.backend import Phase
        from liftgate.jobs.kinds import kind_named
        from liftgate.jobs.spec import Origin

        kept = self._kept(context)
        if kept and kept.uid and not kept.ended:
            self.attempt = kept
            if self.is_whole(context, Phase.LOST):
                return kept  # whether its job is still there or not
        ti = context["ti"]
        origin = Origin(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)
        manifest, keep = self.job_manifest(context), partial(self._keep, context)
        backend = self._backend(kind_named(str(manifest.get("kind"))))
        earlier = self._backend_of(kept) if kept else None
        return attach(backend, manifest, origin, kept, keep, earlier, self.kubernetes_conn_id)

    def _kept(self, context: Context) -> Attempt | None:
        from liftgate.jobs.attempts import Attempt

        kept: Any = context["task_state_store"].get(STATE_KEY)
        return Attempt.from_json(kept)

    def _keep(self, context: Context, attempt: Attempt) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self.attempt = replace(attempt, max_tries=context["ti"].max_tries)
        context["task_state_store"].set(STATE_KEY, self.attempt.as_json(), retention=NEVER_EXPIRE)

    def _hook(self, connection: str | None = None) -> KubernetesHook:
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

        return KubernetesHook(conn_id=connection or self.kubernetes_conn_id)

    def _backend(self, kind: JobKind, connection: str | None = None) -> KubeflowBackend:
        from liftgate.jobs.kubeflow import KubeflowBackend

        return KubeflowBackend(self._hook(connection).api_client, kind)

    def _backend_of(self, attempt: Attempt) -> KubeflowBackend:
        from liftgate.jobs.kinds import kind_named

        return self._backend(kind_named(attempt.kind), attempt.connection)

    def _trigger(self, connection_extras: dict[str, Any] | None = None) -> PyTorchJobTrigger:
        from liftgate_airflow.triggers.pytorchjob import PyTorchJobTrigger

        assert self.attempt is not None
        return PyTorchJobTrigger(
            namespace=self.attempt.namespace,
            name=self.attempt.name,
            uid=self.attempt.uid or "",
            kind=self.attempt.kind,
            kubernetes_conn_id=self.kubernetes_conn_id,
            poll_seconds=self.poll_seconds,
            deadline=None if self.deadline_seconds is None else self.attempt.started + self.deadline_seconds,
            show_log=self.show_log,
            connection_extras=connection_extras,
        )
