"""Where jobs can run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from liftgate.jobs.backend import JobBackend, JobRef


@dataclass
class Place:
    """Somewhere that jobs run."""

    backend: JobBackend
    delete: Callable[[JobRef], None]
    made: Callable[[], list[str]]
    """Names of the jobs that are there."""
    has_logs: bool = True
