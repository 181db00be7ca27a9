"""What a training or answering job is, and the few things that every backend can do with one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

Manifest = dict[str, Any]


class Phase(StrEnum):
    """Where a job stands. Only SUCCEEDED is success."""

    PENDING = "pending"
    RUNNING = "running"
    RESTARTING = "restarting"
    SUSPENDED = "suspended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    """Nobody knows how it ended: the job, or the process that ran it, is gone."""

    @property
    def ended(self) -> bool:
        """Whether the phase will not change any more."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.LOST)


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
class TrainingSpec:
    """A job in words that no backend owns."""

    slug: str
    """Readable start of the job's name, for example "adapter-handbook"."""
    origin: Origin
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
    dataset_version: str | None = None
    """Written on the job for people; does not change what it computes, nor its name."""
    release: int | None = None
    """The release whose index the data came from; for people too."""
    attempt: int = 1
    """Grows only after the attempt before is recorded as ended."""


@dataclass(frozen=True)
class JobRef:
    """One job, not merely its name: after a deletion the same name may belong to another one."""

    kind: str
    namespace: str
    name: str
    uid: str
    adopted: bool = field(default=False, compare=False)
    """The job was there already, made by an earlier try of the same task."""


@dataclass(frozen=True)
class JobState:
    """What a backend knows about a job now."""

    phase: Phase
    reason: str = ""
    message: str = ""
    restarts: int = 0


class JobBackend(Protocol):
    """Something that runs jobs: Kubeflow's operator, or this machine."""

    def render(self, spec: TrainingSpec) -> Manifest:
        """The backend's own description of the job."""

    def submit(self, manifest: Manifest) -> JobRef:
        """Starts the job, or adopts it where the very same one exists. Raises JobRefused."""

    def status(self, ref: JobRef) -> JobState:
        """Where the job stands; LOST when it, or what ran it, is gone."""

    def logs(self, ref: JobRef) -> Iterator[str]:
        """Lines of the first replica so far, all its attempts in order, without line ends."""

    def cancel(self, ref: JobRef) -> None:
        """Stops the job for good. Cancelling one that has ended does nothing."""


def follow(
    backend: JobBackend,
    ref: JobRef,
    on_line: Callable[[str], None] = print,
    poll_seconds: float = 0.5,
) -> JobState:
    """Waits for the end of a job and hands on its log while it runs."""
    seen = 0
    while True:
        state = backend.status(ref)  # before the log is read, so that the last lines are not missed
        for number, line in enumerate(backend.logs(ref), start=1):
            if number > seen:
                on_line(line)
                seen = number
        if state.phase.ended:
            return state
        time.sleep(poll_seconds)


def submit_attempt(backend: JobBackend, spec: TrainingSpec) -> JobRef:
    """The job that this try of a task has to wait for: exactly one for each attempt, whatever failed before.

    A job that still runs, or has succeeded, is adopted. One that has failed or is lost was an attempt of
    its own, so the next number is taken.
    """
    while True:
        ref = backend.submit(backend.render(spec))
        ended_badly = backend.status(ref).phase in (Phase.FAILED, Phase.LOST)
        if not (ref.adopted and ended_badly):
            return ref
        spec = replace(spec, attempt=spec.attempt + 1)
