"""What a trigger tells of a job, and what its task makes of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from liftgate.errors import JobRefused
from liftgate.jobs import outcome
from liftgate.jobs.backend import JobRef, JobState, Phase
from liftgate.jobs.pods import PodReport

if TYPE_CHECKING:
    from liftgate.jobs.progress import Progress

OVERDUE, REFUSED = "overdue", "refused"
"""Besides the phases of a job: its deadline is over; the server says no to whoever polls."""


@dataclass(frozen=True)
class JobEvent:
    """The one event that a trigger fires."""

    phase: str
    uid: str = ""
    reason: str = ""
    message: str = ""
    progress: dict[str, Any] | None = None
    seen: Sequence[dict[str, Any]] = ()
    """What was wrong with the job's pods while it was waited for, as PodReports."""

    @classmethod
    def of(
        cls, phase: str, ref: JobRef, state: JobState, progress: Progress | None, seen: Iterable[PodReport]
    ) -> JobEvent:
        """What is known when waiting ends."""
        told = [asdict(report) for report in seen]
        return cls(str(phase), ref.uid, state.reason, state.message, asdict(progress) if progress else None, told)

    def unless_ended(self, state: JobState) -> JobEvent:
        """This event, or that of a job which has ended since."""
        if not state.phase.ended:
            return self
        return replace(self, phase=str(state.phase), reason=state.reason, message=state.message)

    def as_json(self) -> dict[str, Any]:
        """The event as it travels."""
        return asdict(self)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.phase, self.reason, self.message)))

    def ending(
        self,
        cluster: Callable[[], outcome.Cluster],
        ref: JobRef,
        is_whole: Callable[[], bool],
        permanent_exit_codes: Collection[int] = (),
        again: str = outcome.OWN_RETRY,
    ) -> outcome.Ending:
        """The end that this event tells of. Raises JobRefused where it tells of none: the job may still run.

        again: how a job of this name comes to be once more, for whoever reads the error.
        """
        if self.phase == REFUSED:
            raise JobRefused(self.message)
        if self.phase == Phase.SUCCEEDED:
            return outcome.succeeded(ref, is_whole())
        if self.phase == Phase.LOST:
            return outcome.lost(ref, self.message, is_whole(), again)
        seen = [PodReport(**report) for report in self.seen]
        return outcome.failed(cluster(), ref, str(self), permanent_exit_codes, seen, again)
