"""Threads of this machine."""

from __future__ import annotations

from liftgate.settings import Settings


def thread_settings(settings: Settings) -> dict[str, str]:
    """Threads of a local model. Passive ones sleep while they wait: on busy cores that is three times as fast."""
    return {"OMP_NUM_THREADS": str(settings.cpu_threads), "OMP_WAIT_POLICY": "PASSIVE"}
