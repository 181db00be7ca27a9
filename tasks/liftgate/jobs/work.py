"""What a step wants of a job: nothing where it is known, else the job, and then what it has written."""

from __future__ import annotations

from typing import Any, Protocol

from liftgate.errors import JobFailed
from liftgate.jobs.attempts import attach
from liftgate.jobs.backend import JobBackend, Manifest, Phase, follow
from liftgate.jobs.identity import spec_hash
from liftgate.jobs.spec import JobSpec, Origin


class Work(Protocol):
    """Work that a job does, on this machine or on a cluster."""

    def known(self) -> Any | None:
        """The result, where it is there already and whole."""

    def spec(self) -> JobSpec:
        """The next job on the way to it; what it reads is laid out for it."""


def next_manifest(backend: JobBackend, work: Work, done: str | None) -> Manifest:
    """The manifest of the job to run now. Work may take several, one after the other.

    done: spec hash of the job that has just succeeded. Raises JobFailed where the same job is wanted again: it has left
    nothing that counts.
    """
    manifest = backend.render(work.spec())
    if done == spec_hash(manifest):
        raise JobFailed(
            "Expected the result of a job that succeeded, found none, or files with other hashes. See that this worker "
            "and the job use the same volume or store, then clear this task."
        )
    return manifest


def run_here(backend: JobBackend, work: Work, origin: Origin) -> Any:
    """The result of some work, by jobs that this process waits for. Raises JobFailed."""
    done = None
    while (known := work.known()) is None:
        manifest = next_manifest(backend, work, done)
        ref = attach(backend, manifest, origin).ref
        print(f"Waits for {ref.kind} {ref.namespace}/{ref.name}")
        state = follow(backend, ref, on_line=lambda line: print(line, flush=True))
        if state.phase is not Phase.SUCCEEDED:
            raise JobFailed(
                f"Expected {ref.name} to succeed, found {state.phase}: {state.reason} {state.message} "
                "Its log is above. Mend the cause and clear this task."
            )
        done = spec_hash(manifest)
    return known
