"""Where a job stands, and the few things that every backend can do with one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from liftgate.jobs.spec import JobSpec

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
    deleting: bool = False
    """Somebody deletes it; it reads as it did before until its pods are gone."""


class JobBackend(Protocol):
    """Something that runs jobs: Kubeflow's operator, or this machine."""

    def render(self, spec: JobSpec) -> Manifest:
        """The backend's own description of the job; what makes it one attempt is added by attempts.attach."""

    def submit(self, manifest: Manifest) -> JobRef:
        """Starts the job, or adopts it where the very same one exists. Raises JobRefused."""

    def find(self, namespace: str, name: str) -> JobRef | None:
        """The job of this name, whoever made it."""

    def status(self, ref: JobRef) -> JobState:
        """Where the job stands; LOST when it, or what ran it, is gone."""

    def logs(self, ref: JobRef) -> Iterator[str]:
        """Lines of the first replica so far, all its attempts in order, without line ends."""

    def cancel(self, ref: JobRef) -> None:
        """Stops the job for good; on a cluster that deletes it."""


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
