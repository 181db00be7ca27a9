"""The state of local jobs: a folder each, readable by every process of this machine.

<root>/<namespace>/<name>/job.json            manifest, uid, owner, conditions, processes
                         /cancelled           there when somebody cancelled the job
                         /logs/master-0.1.log  one for each replica and attempt, counted from 1
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liftgate.jobs.backend import JobState, Manifest, Phase
from liftgate.jobs.conditions import state_of

_NOBODY = "PyTorchJobLost"

BEAT_SECONDS = 10.0
"""Whoever runs a job renews its record's time so often, for machines that cannot see its process."""
SILENT_SECONDS = 60.0
"""A record that old has nobody any more."""


def machine_identity() -> str:
    """Names what a process id counts in: two containers of one machine, or one made anew, are not the same.

    Example: "7c2c1d5e-....:pid:[4026531836]"
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def process_identity(pid: int) -> list[Any] | None:
    """[pid, start time], which no later process shares, or None where there is no such process."""
    if sys.platform != "linux":
        return [pid, None] if _answers(pid) else None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else [pid, fields[19]]


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class JobFolder:
    """One job's folder. Only the process that runs the job writes job.json, until it is gone."""

    def __init__(self, path: Path):
        self.path = path

    def create(self, manifest: Manifest) -> bool:
        """Makes the folder, whole or not at all; False where the job exists already."""
        scratch = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        JobFolder(scratch)._prepare(manifest)
        try:
            os.rename(scratch, self.path)
        except OSError:
            shutil.rmtree(scratch)
            return False
        return True

    def _prepare(self, manifest: Manifest) -> None:
        (self.path / "logs").mkdir(parents=True)
        owner = process_identity(os.getpid())
        self._write(
            {
                "uid": str(uuid.uuid4()),
                "owner": owner,
                "machine": machine_identity(),
                "manifest": manifest,
                "restarts": 0,
                "processes": {},
                "conditions": [],
            }
        )

    def read(self) -> dict[str, Any] | None:
        """The job's record, or None where there is no such job."""
        try:
            record: dict[str, Any] = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return record

    def _write(self, record: dict[str, Any]) -> None:
        scratch = self.path / f".job.json.{os.getpid()}"
        scratch.write_text(json.dumps(record, indent=1), encoding="utf-8")
        os.replace(scratch, self.path / "job.json")

    def update(self, **changes: Any) -> None:
        """Changes some fields of the record."""
        self._write((self.read() or {}) | changes)

    def add_condition(self, kind: str, message: str, reason: str | None = None) -> None:
        """Appends a condition as the operator does: Running and Restarting replace each other, an end ends them.

        Example: [Created, Running] + Restarting -> [Created, Restarting]
        """
        record = self.read() or {}
        conditions = [one for one in record["conditions"] if one["type"] != kind]
        if kind in ("Running", "Restarting"):
            conditions = [one for one in conditions if one["type"] not in ("Running", "Restarting")]
        if kind in ("Succeeded", "Failed"):
            conditions = [one | {"status": "False"} if one["type"] == "Running" else one for one in conditions]
        conditions.append(
            {
                "type": kind,
                "status": "True",
                "reason": reason or f"PyTorchJob{kind}",
                "message": message,
                "lastTransitionTime": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        self._write(record | {"conditions": conditions})

    def state(self) -> JobState:
        """The newest condition, in the words of every backend."""
        record = self.read()
        if record is None:
            return JobState(Phase.LOST, _NOBODY, f"no job in {self.path}")
        state = state_of(record, record["restarts"])
        if state.reason == _NOBODY:
            return replace(state, phase=Phase.LOST)
        return state if state.phase.ended else self._unless_orphaned(record, state)

    def _unless_orphaned(self, record: dict[str, Any], state: JobState) -> JobState:
        if self.owner_lives(record):
            return state
        return JobState(Phase.LOST, _NOBODY, "the process that ran the job is gone", record["restarts"])

    def owner_lives(self, record: dict[str, Any]) -> bool:
        """Whether the process that runs the job is there: seen at once on its own machine, elsewhere by its beat."""
        if not _is_of_this_machine(record):
            return self._silent_seconds() < SILENT_SECONDS
        owner = record["owner"]
        return owner is not None and process_identity(owner[0]) == owner

    def beat(self) -> None:
        """Tells other machines that the job still has its process."""
        with suppress(FileNotFoundError):  # deleted a moment ago
            os.utime(self.path / "job.json")

    def _silent_seconds(self) -> float:
        return time.time() - (self.path / "job.json").stat().st_mtime

    def reap(self) -> None:
        """Ends what a dead owner left: its processes, and a state that would read Running for ever."""
        record = self.read()
        if record is None or self.state().phase is not Phase.LOST:
            return
        self.kill(signal.SIGKILL)
        self.add_condition("Failed", "the process that ran the job is gone", _NOBODY)

    def kill(self, number: int) -> None:
        """Sends a signal to the process groups of the job's replicas that still live on this machine."""
        record = self.read() or {}
        if not _is_of_this_machine(record):
            return  # there they died with their worker; here the same number is another process
        for identity in record["processes"].values():
            if identity is not None and process_identity(identity[0]) == identity:
                os.killpg(identity[0], number)

    def cancel(self) -> None:
        """Marks the job, so that its end is no reason to restart it."""
        (self.path / "cancelled").touch()

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled the job."""
        return (self.path / "cancelled").exists()

    def log(self, replica: str, attempt: int) -> Path:
        """The log of one attempt of a replica."""
        return self.path / "logs" / f"{replica}.{attempt}.log"

    def log_lines(self, replica: str) -> Iterator[str]:
        """Whole lines of all attempts of a replica so far."""
        attempt = 1
        while (log := self.log(replica, attempt)).is_file():
            text = log.read_text(encoding="utf-8", errors="replace")
            yield from text[: text.rfind("\n") + 1].splitlines()
            attempt += 1


def _is_of_this_machine(record: dict[str, Any]) -> bool:
    return record.get("machine", machine_identity()) == machine_identity()
