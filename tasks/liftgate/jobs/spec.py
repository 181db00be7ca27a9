"""What a training or answering job is, in words that no backend owns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Resources:
    """What a replica asks for and is limited to."""

    cpus: int
    memory: str
    gpus: int = 0


@dataclass(frozen=True)
class Volume:
    """A volume claim and where the job sees it."""

    claim: str
    mount_path: str


@dataclass(frozen=True)
class Origin:
    """The task that wants the job. The same task asking for the same thing gets the same job."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True)
class JobSpec:
    """A job in words that no backend owns."""

    slug: str
    """Readable start of the job's name, for example "adapter-handbook"."""
    image: str
    args: tuple[str, ...]
    resources: Resources
    command: tuple[str, ...] = ("python", "-m", "trainer.train_lora")
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    namespace: str = "llm"
    nodes: int = 1
    procs_per_node: int = 1
    retries: int = 0
    """Restarts of a broken replica that the job tolerates."""
    deadline_seconds: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    env_secret: str | None = None
    """A secret whose entries the job sees as variables, for example an object store's keys."""
    pod: Mapping[str, Any] = field(default_factory=dict)
    """More of the pod's spec, in Kubernetes' own words: nodeSelector, tolerations, imagePullSecrets, ..."""
    dataset_version: str | None = None
    """Written on the job for people; does not change what it computes, nor its name."""
    release: int | None = None
    """The release whose index the data came from; for people too."""

    def under_torchrun(self) -> list[str]:
        """The command started by torchrun, which makes a node's processes and tells each its place.

        Example: python -m trainer.train_lora -> python -m torch.distributed.run -m trainer.train_lora
        """
        program, *rest = self.command
        starts_a_module = program in ("python", "python3") and rest[:1] == ["-m"]
        return [program, "-m", "torch.distributed.run", *rest] if starts_a_module else [program, *rest]
