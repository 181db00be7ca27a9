"""PostgreSQL and Airflow as children of the demo: they start with it and end with it, also after kill -9."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil

from demo.failures import DemoFailed
from demo.workspace import PROJECT, Workspace
from liftgate.local.postgres import LocalPostgres

USER = "admin"
MARK = "DEMO_OF_LIFTGATE"
"""In the environment of every process of a demo, with its folder: by it they are found when nothing else is left."""

_PR_SET_PDEATHSIG = 1
_COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ("--host", "127.0.0.1", "--workers", "1"),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}


def require_free_port(port: int) -> None:
    """Raise DemoFailed where something else listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoFailed(
                f"Expected port {port} to be free, found it taken. Choose another: make demo PORT={port + 10}"
            ) from error


def end_leftovers(workspace: Workspace) -> int:
    """End what an earlier demo of this folder left running. Returns how many processes that were."""
    found = [process for process in psutil.process_iter() if _belongs(process, workspace)]
    for process in found:
        _send(process, signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=5)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)
    return len(found)


def _belongs(process: psutil.Process, workspace: Workspace) -> bool:
    """By the mark; Airflow's workers write their state over their environment, but hold its log open."""
    try:
        if process.pid == os.getpid():
            return False
        logs = (file.path for file in process.open_files() if Path(file.path).parent == workspace.logs)
        return process.environ().get(MARK) == str(workspace.root) or any(logs)
    except psutil.Error:
        return False  # somebody else's, or gone


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


@dataclass(frozen=True)
class Airflow:
    """Settings and processes of an Airflow whose metadata lies in the given database."""

    workspace: Workspace
    port: int
    metadata: LocalPostgres
    connections: Mapping[str, str]
    """Airflow's connections by id, as JSON."""
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the pages and the REST API are."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Make the metadata and start every component. They are healthy some seconds later."""
        environment = self.environment
        passwords = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
        passwords.write_text(json.dumps({USER: self.password}))
        passwords.chmod(0o600)
        migration = self._run("db", "migrate", environment=environment)
        if migration.wait() != 0:
            raise DemoFailed(f"Expected Airflow to make its tables, found that it failed. {self._see('db')}")
        for component in _COMPONENTS:
            self.start_component(component)

    def start_component(self, component: str) -> None:
        """Start one of them, for the first time or after its end."""
        options = _COMPONENTS[component]
        if component == "api-server":
            options = (*options, "--port", str(self.port))
        self.processes[component] = self._run(component, *options, environment=self.environment)

    def require_alive(self) -> None:
        """Raise DemoFailed if a component has ended."""
        for component, process in self.processes.items():
            if process.poll() is not None:
                raise DemoFailed(
                    f"Expected Airflow's {component} to run, found that it ended with {process.returncode}. "
                    f"{self._see(component)}"
                )

    def stop(self) -> None:
        """End every component in order, then whatever they left: tasks, and what tasks started."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 10
        for process in self.processes.values():
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            # A scheduler leaves idle workers behind, which are of its group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    @cached_property
    def environment(self) -> dict[str, str]:
        """What every process gets: our settings and secrets, and nothing of an Airflow that exists already."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW_", "LIFTGATE_")) and name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        }
        tools = Path(sys.executable).parent  # not resolved: the environment's, whatever it links to
        return kept | self._settings() | _quiet() | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}

    def _settings(self) -> dict[str, str]:
        home = self.workspace.airflow_home
        return {
            MARK: str(self.workspace.root),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.workspace.handbook),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.metadata.url("airflow", user="airflow", driver="psycopg"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.metadata.url(
                "airflow", user="airflow", driver="psycopg_async"
            ),
            # The demo edits settings, which a run reads itself; parsing DAG files over and over only costs time.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            # A run is a chain of short tasks, and each waits for the scheduler's next look: a second by default.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            # A task that defers for a second or two fails without this under LocalExecutor.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            **{f"AIRFLOW_CONN_{name.upper()}": value for name, value in self.connections.items()},
        }

    def _run(self, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.workspace.logs / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env=environment,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own, so that Ctrl-C reaches the demo alone, which then stops all in order.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def _see(self, log: str) -> str:
        return f"Look into {self.workspace.logs / log}.log, then start again."


def _quiet() -> dict[str, str]:
    """Nothing phones home, and nothing is downloaded from a hub."""
    return {
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
    }


def _end_with_parent() -> None:
    """Runs in the child: SIGTERM when the demo is gone."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
