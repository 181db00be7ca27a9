"""Airflow's REST API, as far as the demo needs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from demo.failures import DemoFailed

ENDED = ("success", "failed")
_COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


@dataclass(frozen=True)
class TaskState:
    """One task of a run; mapped ones have an index."""

    task_id: str
    map_index: int
    state: str
    started: datetime | None
    seconds: float

    @property
    def name(self) -> str:
        """Example: index_changes[0]"""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class RunState:
    """One run of a DAG."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    seconds: float


class Api:
    """A client that logs in on first use. Paths are those of /api/v2."""

    def __init__(self, url: str, user: str, password: str):
        self._http = httpx.Client(base_url=url, timeout=30)
        self._login = {"username": user, "password": password}

    def is_healthy(self) -> bool:
        """Whether every component reports that it is well."""
        try:
            found = self._http.get("/api/v2/monitor/health").json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(found.get(name, {}).get("status") == "healthy" for name in _COMPONENTS)

    def make_pool(self, name: str, slots: int) -> None:
        """A pool with so many slots."""
        self._call("POST", "/pools", json={"name": name, "slots": slots, "include_deferred": False})

    def dag_ids(self) -> list[str]:
        """The DAGs that the DAG processor has read."""
        return sorted(dag["dag_id"] for dag in self._call("GET", "/dags", params={"limit": 100})["dags"])

    def import_errors(self) -> list[str]:
        """What it could not read, with the last line of why."""
        found = self._call("GET", "/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in found]

    def pause(self, dag_id: str, paused: bool) -> None:
        """Pause a DAG, or let it run."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, dag_id: str, params: dict[str, Any]) -> str:
        """Start a run, as a person does in the page, and return its id."""
        return str(
            self._call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": params})["dag_run_id"]
        )

    def emit(self, uri: str) -> None:
        """Say that an asset has changed: DAGs that are scheduled on it start."""
        assets = self._call("GET", "/assets", params={"uri_pattern": uri})["assets"]
        found = [asset["id"] for asset in assets if asset["uri"] == uri]
        if not found:
            raise DemoFailed(f"Expected the asset {uri} in Airflow, found none. Look at the DAG's schedule.")
        self._call("POST", "/assets/events", json={"asset_id": found[0], "extra": {}})

    def runs(self, dag_id: str) -> list[RunState]:
        """The runs of a DAG, newest first."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": "-run_after", "limit": 50})
        return [_run_state(run) for run in found["dag_runs"]]

    def run(self, dag_id: str, run_id: str) -> RunState:
        """One run."""
        return _run_state(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """The tasks of a run, those that started first in front."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        states = [_task_state(task) for task in found["task_instances"]]
        return sorted(states, key=lambda task: (task.started is None, task.started or datetime.now(UTC)))

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, f"/api/v2{path}", headers=self._token(), **options)
        except httpx.HTTPError as error:
            raise DemoFailed(f"Expected Airflow to answer {method} {path}, found: {error!r}. Start again.") from error
        if response.is_error:
            raise DemoFailed(
                f"Expected Airflow to accept {method} {path}, found {response.status_code}: {response.text[:300]}"
            )
        return response.json() if response.content else None

    def _token(self) -> dict[str, str]:
        if "Authorization" not in self._http.headers:
            response = self._http.post("/auth/token", json=self._login)
            response.raise_for_status()
            self._http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        return {}


def wait_until(what: str, holds: Callable[[], bool], seconds: float, meanwhile: Callable[[], None]) -> None:
    """Ask twice a second until it holds. Raises DemoFailed after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        meanwhile()
        if time.monotonic() > deadline:
            raise DemoFailed(f"Expected {what} within {seconds:.0f} s, found that it was not so. Start again.")
        time.sleep(0.5)


def _run_state(run: dict[str, Any]) -> RunState:
    seconds = _between(run["start_date"], run["end_date"])
    return RunState(run["dag_id"], run["dag_run_id"], run["run_type"], run["state"], seconds)


def _task_state(task: dict[str, Any]) -> TaskState:
    started = _time(task["start_date"])
    seconds = _between(task["start_date"], task["end_date"])
    return TaskState(task["task_id"], task["map_index"], task["state"] or "waiting", started, seconds)


def _between(start: str | None, end: str | None) -> float:
    began = _time(start)
    return ((_time(end) or datetime.now(UTC)) - began).total_seconds() if began else 0.0


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
