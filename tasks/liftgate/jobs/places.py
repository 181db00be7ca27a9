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
    """Where a worker finds what lies in `tuning_sets` and `adapters`, and where a job does."""

    files: Path
    """The folder of this installation."""
    job: JobBlock

    @classmethod
    def of(cls, runtime: Runtime, job: JobBlock) -> Places:
        """Those of an installation for a job."""
        return cls(runtime.files, job)

    def here(self, kind: str, *parts: str) -> UPath:
        """As this worker sees it."""
        from upath import UPath

        return UPath(self.job.store or self.files).joinpath(kind, *parts)

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

    def volumes(self) -> tuple[Volume, ...]:
        """What the job mounts."""
        if self.job.store:
            return ()
        return Volume(self.job.claims.data, "/data"), Volume(self.job.claims.artifacts, "/artifacts")

    def claims(self) -> dict[str, Path]:
        """The folders that stand for the claims on this machine."""
        return {self.job.claims.data: self.files / "tuning_sets", self.job.claims.artifacts: self.files / "adapters"}


def spec_for(job: JobBlock, places: Places, slug: str, module: str, args: tuple[str, ...], **more: object) -> JobSpec:
    """A JobSpec with everything that the job's block sets; `more` are fields of JobSpec."""
    procs = int(str(more.get("procs_per_node", 1)))
    # With several processes a node, torchrun starts them and tells each who it is.
    launcher = ("python", "-m", "torch.distributed.run", "-m") if procs > 1 else ("python", "-m")
    return JobSpec(
        slug=slug,
        image=job.image,
        command=(*launcher, module),
        args=args,
        resources=Resources(job.resources.cpus, job.resources.memory, job.resources.gpus),
        volumes=places.volumes(),
        namespace=job.namespace,
        retries=job.retries,
        deadline_seconds=job.deadline_seconds,
        labels={**job.labels, **({QUEUE_LABEL: job.queue} if job.queue else {})},
        env_secret=job.env_secret,
        pod=job.pod,
        **more,  # type: ignore[arg-type]
    )


def base_model_there(runtime: Runtime, model: str, backend: str, model_path: str | None) -> str:
    """The base model as a job sees it."""
    if backend == "local":
        return str(model_folder(model, runtime.settings.models_dir).resolve())
    return model_path or model


def job_environment(runtime: Runtime, backend: str) -> dict[str, str]:
    """Variables of a job. The threads of this machine are nothing to a cluster."""
    threads = thread_settings(runtime.settings) if backend == "local" else {}
    return {**threads, "HF_HUB_OFFLINE": "1"}
