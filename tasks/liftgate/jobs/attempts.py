"""Exactly one job for each attempt, whatever fails between asking for it and hearing how it ended.

What is known of the newest attempt is kept outside of the process that waits, before the job is made and after. The
number grows only when the attempt before is recorded as ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from liftgate.errors import JobFailed, JobRefused
from liftgate.jobs.backend import JobBackend, JobRef, JobState, Manifest, Phase
from liftgate.jobs.identity import identified, spec_hash
from liftgate.jobs.spec import Origin

END_SECONDS = 120
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Attempt:
    """One attempt of a task at a job, as it is kept between the tries of that task."""

    number: int
    kind: str
    namespace: str
    name: str
    spec_hash: str
    started: float
    """When the job was asked for first, in seconds since 1970; whoever re-attaches waits no longer for it."""
    connection: str = ""
    """Airflow's connection to the cluster that it was asked of."""
    max_tries: int = 0
    """The most tries of the task when the attempt began; Airflow raises it when somebody clears the task."""
    uid: str | None = None
    """None: the job was asked for, but nobody heard whether it was made."""
    ended: Phase | None = None

    @property
    def ref(self) -> JobRef:
        """The job; only where its uid is known."""
        return JobRef(self.kind, self.namespace, self.name, self.uid or "")

    def as_json(self) -> dict[str, Any]:
        """The attempt as a state store keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any] | None) -> Attempt | None:
        """The attempt that a state store has kept, if any."""
        if kept is None:
            return None
        return cls(**{**kept, "ended": Phase(kept["ended"]) if kept["ended"] else None})


Keep = Callable[[Attempt], None]


def attach(
    backend: JobBackend,
    manifest: Manifest,
    origin: Origin,
    kept: Attempt | None = None,
    keep: Keep = lambda attempt: None,
    earlier: JobBackend | None = None,
    connection: str = "",
) -> Attempt:
    """The attempt that this try of a task waits for; its job is there, or was there and has ended.

    kept: the newest attempt of earlier tries, and earlier: the backend that it was asked of. A job of it that still
    runs, or has ended without anybody hearing of it, is this try's too. One that is gone, or is being deleted, is
    recorded as lost, and the next one begins.
    """
    begin = partial(_begin, backend, manifest, origin, keep=keep, connection=connection)
    if kept is None or kept.ended:
        return begin(number=kept.number + 1 if kept else 1)
    there = earlier or backend
    found = kept.ref if kept.uid else there.find(kept.namespace, kept.name)
    if found is None:
        return begin(number=kept.number)
    if kept.uid is None:
        kept = replace(kept, uid=found.uid)
        keep(kept)
    state = there.status(found)
    if kept.spec_hash == spec_hash(manifest) and kept.connection == connection and state.phase is not Phase.LOST:
        if not state.deleting:
            return kept
    elif state.phase is not Phase.LOST:
        print(f"{kept.name} was made for another specification or cluster. It is ended before the next one begins.")
    end(there, found)
    keep(replace(kept, ended=Phase.LOST))
    return begin(number=kept.number + 1)


def _begin(
    backend: JobBackend, manifest: Manifest, origin: Origin, number: int, keep: Keep, connection: str
) -> Attempt:
    """Asks for the job of this number. One that is known to have ended badly was an attempt, so the next begins."""
    made = identified(manifest, origin, number)
    metadata = made["metadata"]
    attempt = Attempt(
        number=number,
        kind=made["kind"],
        namespace=metadata.get("namespace") or "default",
        name=metadata["name"],
        spec_hash=spec_hash(manifest),
        started=time.time(),
        connection=connection,
    )
    keep(attempt)
    try:
        ref = backend.submit(made)
    except JobRefused:
        keep(replace(attempt, ended=Phase.FAILED))  # nothing was made, and a later try has a time of its own
        raise
    attempt = replace(attempt, uid=ref.uid, started=attempt.started if ref.adopted else time.time())
    keep(attempt)
    state = backend.status(ref) if ref.adopted else JobState(Phase.PENDING)
    if state.phase not in (Phase.FAILED, Phase.LOST) and not state.deleting:
        return attempt
    if state.deleting:
        end(backend, ref)
    keep(replace(attempt, ended=Phase.LOST if state.deleting else state.phase))
    return _begin(backend, manifest, origin, number + 1, keep, connection)


def end(backend: JobBackend, ref: JobRef) -> None:
    """Cancels a job that runs, and waits until nothing of it runs any more. Raises JobFailed after two minutes."""
    state = backend.status(ref)
    if not state.phase.ended:
        backend.cancel(ref)
    until = time.monotonic() + END_SECONDS
    while not state.phase.ended or state.deleting:
        if time.monotonic() > until:
            raise JobFailed(
                f"Expected {ref.name} to end within {END_SECONDS} s after it was cancelled, found that it still runs. "
                "See what holds its pods, then clear this task."
            )
        time.sleep(POLL_SECONDS)
        state = backend.status(ref)
