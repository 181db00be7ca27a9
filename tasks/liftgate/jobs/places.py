"""How data travels between workers and jobs: in claims that both mount, or in a store that both reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from liftgate.config.jobs import JobBlock
from liftgate.jobs.spec import JobSpec, Resources, Volume
from liftgate.local.models import model_folder
from liftgate.local.threads import thread_settings

if TYPE_CHECKING:
    from upath import UPath

    from liftgate.runtime import Runtime

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_MOUNTS = {"tuning_sets": "/data", "adapters": "/artifacts"}


@dataclass(frozen=True)
class Places:
    """Where a worker finds what lies in `tuning_sets` and `adapters`, where a job does, and what that job is."""

    runtime: Runtime
    job: JobBlock

    def here(self, kind: str, *parts: str) -> UPath:
        """As this worker sees it."""
        from upath import UPath

        return UPath(self.job.store or self.runtime.files).joinpath(kind, *parts)

    def there(self, kind: str, *parts: str) -> str:
        """As the job sees it.

        Example: "adapters", "handbook" -> /artifacts/handbook, or s3://bucket/llm/adapters/handbook with a store
        """
        root = f"{self.job.store.rstrip('/')}/{kind}" if self.job.store else _MOUNTS[kind]
        return "/".join([root, *parts])

    def there_of(self, address: str) -> str:
        """As the job sees an adapter that a worker knows by this address."""
        root = str(self.here("adapters"))
        return self.there("adapters") + address.removeprefix(root) if address.startswith(root) else address

    def base_model(self, name: str, model_path: str | None) -> str:
        """The base model as the job sees it."""
        if self.job.backend == "local":
            return str(model_folder(name, self.runtime.settings.models_dir).resolve())
        return model_path or name

    def claims(self) -> dict[str, Path]:
        """The folders that stand for the claims on this machine."""
        files = self.runtime.files
        return {self.job.claims.data: files / "tuning_sets", self.job.claims.artifacts: files / "adapters"}

    def spec(
        self,
        slug: str,
        module: str,
        args: tuple[str, ...],
        nodes: int = 1,
        procs_per_node: int = 1,
        dataset_version: str | None = None,
        release: int | None = None,
    ) -> JobSpec:
        """A job that runs this module of the trainer, with everything that its block sets."""
        job = self.job
        return JobSpec(
            slug=slug,
            image=job.image,
            command=("python", "-m", module),
            args=args,
            resources=Resources(job.resources.cpus, job.resources.memory, job.resources.gpus),
            env=job.env | self._environment(),
            volumes=self._volumes(),
            namespace=job.namespace,
            nodes=nodes,
            procs_per_node=procs_per_node,
            retries=job.retries,
            deadline_seconds=job.deadline_seconds,
            labels={**job.labels, **({QUEUE_LABEL: job.queue} if job.queue else {})},
            env_secret=job.env_secret,
            pod=job.pod,
            dataset_version=dataset_version,
            release=release,
        )

    def _volumes(self) -> tuple[Volume, ...]:
        if self.job.store:
            return ()
        return Volume(self.job.claims.data, "/data"), Volume(self.job.claims.artifacts, "/artifacts")

    def _environment(self) -> dict[str, str]:
        # The threads of this machine are nothing to a cluster.
        threads = thread_settings(self.runtime.settings) if self.job.backend == "local" else {}
        return {**threads, "HF_HUB_OFFLINE": "1"}
