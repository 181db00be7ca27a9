"""Exactly one job for each attempt, whatever fails between asking for it and hearing how it ended.

What is known of the newest attempt is kept outside of the process that waits, before the job is made and after. The
number grows only when the attempt before is recorded as ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from liftgate.errors import JobFailed
from liftgate.jobs.backend import JobBackend, JobRef, Manifest, Phase
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
) -> Attempt:
    """The attempt that this try of a task waits for; its job is there, or was there and has ended.

    kept: the newest attempt of earlier tries. A job of it that still runs, or has ended without anybody hearing of it,
    is this try's too. One that is gone is recorded as lost, and the next one begins.
    """
    if kept is None:
        return _begin(backend, manifest, origin, 1, keep)
    if kept.ended:
        return _begin(backend, manifest, origin, kept.number + 1, keep)
    if kept.spec_hash != spec_hash(manifest):
        print(f"{kept.name} was made for another specification. It is ended before the next one begins.")
        _end(backend, kept)
    elif kept.uid is None:
        return _begin(backend, manifest, origin, kept.number, keep, kept.started)
    elif backend.status(kept.ref).phase is not Phase.LOST:
        return kept
    keep(replace(kept, ended=Phase.LOST))
    return _begin(backend, manifest, origin, kept.number + 1, keep)


def _begin(
    backend: JobBackend, manifest: Manifest, origin: Origin, number: int, keep: Keep, started: float | None = None
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
        started=started or time.time(),
    )
    keep(attempt)
    ref = backend.submit(made)
    attempt = replace(attempt, uid=ref.uid)
    keep(attempt)
    phase = backend.status(ref).phase if ref.adopted else Phase.PENDING
    if phase not in (Phase.FAILED, Phase.LOST):
        return attempt
    keep(replace(attempt, ended=phase))
    return _begin(backend, manifest, origin, number + 1, keep)


def _end(backend: JobBackend, attempt: Attempt) -> None:
    """Cancels a job and waits until nothing of it runs any more."""
    ref = attempt.ref if attempt.uid else backend.find(attempt.namespace, attempt.name)
    if ref is None:
        return
    backend.cancel(ref)
    until = time.monotonic() + END_SECONDS
    while not backend.status(ref).phase.ended:
        if time.monotonic() > until:
            raise JobFailed(
                f"Expected {ref.name} to end within {END_SECONDS} s after it was cancelled, found that it still runs. "
                "See what holds its pods, then clear this task."
            )
        time.sleep(POLL_SECONDS)
