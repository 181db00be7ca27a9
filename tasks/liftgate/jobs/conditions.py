"""The conditions of a PyTorchJob in the words of every backend."""

from __future__ import annotations

from typing import Any

from liftgate.jobs.backend import JobState, Phase

_PHASES = {
    "Created": Phase.PENDING,
    "Running": Phase.RUNNING,
    "Restarting": Phase.RESTARTING,
    "Suspended": Phase.SUSPENDED,
    "Succeeded": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
}


def state_of(status: dict[str, Any] | None, restarts: int = 0) -> JobState:
    """Where a job with this `status` stands: its newest condition that holds, but an end is never left again.

    Example: conditions [Created, Running (False), Succeeded] -> SUCCEEDED; none yet -> PENDING
    """
    conditions = [one for one in (status or {}).get("conditions") or [] if one.get("status", "True") == "True"]
    known = [one for one in conditions if one.get("type") in _PHASES]
    if not known:
        return JobState(Phase.PENDING, restarts=restarts)
    newest = next((one for one in known if _PHASES[one["type"]].ended), known[-1])
    return JobState(_PHASES[newest["type"]], newest.get("reason") or "", newest.get("message") or "", restarts)
