"""How an attempt ended, told to whoever reads the failed task's log at night."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from liftgate.errors import JobFailed, JobFailedForGood, JobLost
from liftgate.jobs.backend import JobRef, Phase
from liftgate.jobs.pods import PodReport

OWN_RETRY = "a retry makes the next attempt."
"""What the error tells the owner of a job to do once the cause is mended."""


class Cluster(Protocol):
    """What is asked of a backend once its job has ended."""

    def troubles(self, ref: JobRef) -> list[PodReport]:
        """The job's pods that are in trouble."""


@dataclass(frozen=True)
class Ending:
    """An end, and the error that it means; without one it is success."""

    phase: Phase
    error: JobFailed | None = None


def succeeded(ref: JobRef, whole: bool) -> Ending:
    """The end of a job that the cluster calls successful: the result that it promised has to be whole."""
    if whole:
        return Ending(Phase.SUCCEEDED)
    return Ending(
        Phase.SUCCEEDED,
        JobFailed(
            f"Expected {ref.name} to leave a whole result, found none, though the job succeeded. See that it writes "
            "where this task looks, then clear this task."
        ),
    )


def lost(ref: JobRef, message: str, whole: bool, again: str = OWN_RETRY) -> Ending:
    """The end of a job that vanished: success only with its own complete result."""
    if whole:
        print(f"{ref.name} is gone, but its result is whole.")
        return Ending(Phase.SUCCEEDED)
    return Ending(
        Phase.LOST,
        JobLost(
            f"Expected to hear how {ref.name} ended, found that {message}. Somebody deleted it, or it was collected "
            f"while nobody looked. If nobody meant that, {again}"
        ),
    )


def failed(
    cluster: Cluster,
    ref: JobRef,
    found: str,
    permanent_exit_codes: Collection[int] = (),
    seen: Collection[PodReport] = (),
    again: str = OWN_RETRY,
) -> Ending:
    """The end of a job that failed: why, by pod, and what to do.

    seen: what was wrong with its pods while they were there. Older operators remove them before they call a job failed.
    """
    reports = cluster.troubles(ref) or seen
    for_good = any(report.exit_code in permanent_exit_codes for report in reports)
    told = "\n".join(map(str, reports)) or "Nothing is left of its pods that says why. What its log said is above."
    kind = JobFailedForGood if for_good else JobFailed
    remedy = "A retry cannot help: mend that first." if for_good else f"Mend the cause; {again}"
    return Ending(Phase.FAILED, kind(f"Expected {ref.name} to succeed, found {found}.\n{told}\n{remedy}"))
