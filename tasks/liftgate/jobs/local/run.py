"""Runs the replicas of one job as processes, by the operator's rules."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from liftgate.jobs.local import replica as local_replica
from liftgate.jobs.local.manifest import LocalJob, Replica
from liftgate.jobs.local.state import BEAT_SECONDS, JobFolder, process_identity

_POLL_SECONDS = 0.1
_RETRYABLE = 128
"""With restartPolicy ExitCode, codes below this are permanent; a signal N counts as 128 + N."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
"""All that a replica sees of the worker's environment: a pod would see nothing of it, and it holds secrets."""


@dataclass
class _Running:
    replica: Replica
    attempt: int = 0
    process: subprocess.Popen[bytes] | None = None
    exit_code: int | None = field(default=None)


class LocalRun:
    """Supervises one job from a thread of the worker; if the worker dies, the replicas die with it."""

    def __init__(self, job: LocalJob, folder: JobFolder, python_path: tuple[Path, ...]):
        self._job = job
        self._folder = folder
        self._python_path = python_path
        self._running = [_Running(replica) for replica in job.replicas]
        self._restarts = 0
        self._port = _free_port()
        self._ended = threading.Event()

    def start(self) -> None:
        """Records the job as created and starts its supervisor."""
        self._folder.add_condition("Created", f"PyTorchJob {self._job.name} is created.")
        # The death signal of a replica follows the thread that started it, so one thread does all of it.
        threading.Thread(target=self._supervise, name=f"job {self._job.name}", daemon=True).start()
        threading.Thread(target=self._beat, name=f"beat of job {self._job.name}", daemon=True).start()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._folder.beat()

    def _supervise(self) -> None:
        try:
            self._run_to_the_end()
        except Exception as error:  # the job must not read Running for ever
            self._fail(f"the local backend broke: {error!r}")
            raise
        finally:
            self._ended.set()

    def _run_to_the_end(self) -> None:
        started = time.monotonic()
        for running in self._running:
            self._spawn(running)
        self._folder.add_condition("Running", f"PyTorchJob {self._job.name} is running.")
        while not self._settled():
            if self._folder.cancelled:
                return self._fail("cancelled", reason="PyTorchJobCancelled")
            limit = self._job.deadline_seconds
            if limit is not None and time.monotonic() - started > limit:
                return self._fail(f"active longer than its deadline of {limit} seconds")
            time.sleep(_POLL_SECONDS)
        return None

    def _settled(self) -> bool:
        """Looks at every replica once; True when the job has ended."""
        for running in self._running:
            if running.exit_code is None and running.process and running.process.poll() is not None:
                code = running.process.returncode
                running.exit_code = code if code >= 0 else 128 - code
                if self._ended_with(running, running.exit_code):
                    return True
        return False

    def _ended_with(self, running: _Running, code: int) -> bool:
        policy = running.replica.restart_policy
        if self._folder.cancelled:
            self._fail("cancelled", reason="PyTorchJobCancelled")
            return True
        if policy == "Always" or (code and policy == "OnFailure"):
            return self._restart_within_limit(running, code)
        if policy == "ExitCode" and code >= _RETRYABLE:  # the operator counts these against no limit
            return self._restart(running, code)
        if code:
            self._fail(f"replica {running.replica.name} failed with exit code {code}")
            return True
        return self._succeed_if_complete()

    def _restart_within_limit(self, running: _Running, code: int) -> bool:
        # A backoffLimit of N tolerates N-1 restarts; 0 means 1.
        if self._restarts + 1 >= max(self._job.backoff_limit or 0, 1):
            self._fail(
                f"replica {running.replica.name} ended with exit code {code}, and the job has reached its "
                f"backoff limit of {self._job.backoff_limit}"
            )
            return True
        return self._restart(running, code)

    def _restart(self, running: _Running, code: int) -> bool:
        self._restarts += 1
        self._folder.update(restarts=self._restarts)
        self._folder.add_condition(
            "Restarting", f"replica {running.replica.name} ended with exit code {code} and is restarted"
        )
        self._spawn(running)
        self._folder.add_condition("Running", f"PyTorchJob {self._job.name} is running.")
        return False

    def _succeed_if_complete(self) -> bool:
        deciding = self._running[:1] if self._job.has_master else self._running
        if any(running.exit_code != 0 for running in deciding):
            return False
        self._stop_all()
        self._folder.add_condition("Succeeded", f"PyTorchJob {self._job.name} is successfully completed.")
        return True

    def _fail(self, message: str, reason: str | None = None) -> None:
        self._stop_all()
        self._folder.add_condition("Failed", message, reason)

    def _spawn(self, running: _Running) -> None:
        running.attempt += 1
        running.exit_code = None
        replica = running.replica
        launcher = [sys.executable, "-I", local_replica.__file__, str(os.getpid())]
        with self._folder.log(replica.name, running.attempt).open("wb") as log:
            log.writelines(f"[local backend] {note}\n".encode() for note in replica.notes)
            log.flush()
            running.process = subprocess.Popen(
                [*launcher, *replica.command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self._folder.path,
                env=self._environment(replica),
                start_new_session=True,
            )
        processes = (self._folder.read() or {})["processes"]
        self._folder.update(processes=processes | {replica.name: process_identity(running.process.pid)})

    def _environment(self, replica: Replica) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return inherited | self._operators_variables(replica) | dict(replica.env) | self._own_variables(replica.env)

    def _own_variables(self, given: Mapping[str, str]) -> dict[str, str]:
        path = [*map(str, self._python_path), *filter(None, [given.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(path)}

    def _operators_variables(self, replica: Replica) -> dict[str, str]:
        """What the operator gives to a pod. Jobs of workers alone get no ranks and no address."""
        always = {"PYTHONUNBUFFERED": "1"}
        if not self._job.has_master:
            return always
        nodes, procs = len(self._job.replicas), self._job.procs_per_node
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self._port)}
        return (
            always
            | shared
            | {f"PET_{name}": value for name, value in shared.items()}
            | {
                "WORLD_SIZE": str(nodes * procs),
                "RANK": str(replica.rank),
                "PET_NODE_RANK": str(replica.rank),
                "PET_NNODES": str(nodes),
                "PET_NPROC_PER_NODE": str(procs),
            }
        )

    def _stop_all(self) -> None:
        """SIGTERM, the pod's grace period, then SIGKILL, to each replica's whole process group."""
        processes = [running.process for running in self._running if running.process]
        living = [process for process in processes if process.poll() is None]
        for process in living:
            _signal_group(process, signal.SIGTERM)
        until = time.monotonic() + self._job.grace_seconds
        for process in living:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _free_port() -> int:
    # On a cluster every job has an address of its own and port 23456; here jobs share one.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
