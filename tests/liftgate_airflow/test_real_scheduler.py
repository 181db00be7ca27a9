"""One story through a real scheduler, triggerer and API server: what `dag.test` does otherwise or not at all.

A scheduled run waits in the triggerer for its turn; an asset event starts a run; a backfill has its interval and
removes nothing; a task of an ended run is cleared.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "handbook"))

from demo.api import ENDED, Api
from demo.ledger import Cost, Ledger
from demo.server import MARK, USER, Airflow, end_leftovers
from demo.workspace import Workspace

from liftgate.generations import collections_of
from liftgate.local.postgres import LocalPostgres, started
from liftgate.releases.ledger import lock_ledger, record
from liftgate.runs import Allowances, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate.turns import Turn, release_turn, take_turn

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

ROOT = Path(__file__).parents[2]
DAG = "kb_small"
LONG_AGO = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=10)
CONFIGURATION = """
name: small
schedule: "0 2 * * *"
ingestion:
  source: {type: folder, path: ../documents}
access: {default_groups: [staff]}
questions: {file: ../questions.jsonl}
answers: {prompt: ../prompt.md}
brakes: {max_opened_share: 1}
"""
QUESTION = {
    "id": "q",
    "question": "Who paints the harbour?",
    "family": "harbour",
    "groups": ["staff"],
    "expected": "refuse",
    "why": "absent",
}


@dataclass
class Real:
    """An Airflow that runs one small knowledge base."""

    api: Api
    runtime: Runtime
    workspace: Workspace

    def write(self, name: str, text: str, at: datetime) -> None:
        path = self.workspace.handbook / "documents" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n\n{text}\n")
        os.utime(path, (at.timestamp(), at.timestamp()))

    def remove(self, name: str) -> None:
        (self.workspace.handbook / "documents" / name).unlink()

    def new_run(self, run_type: str) -> str:
        """The first run of its type, as soon as there is one."""
        return str(self.until(lambda: [run.run_id for run in self.api.runs(DAG) if run.run_type == run_type])[0])

    def task(self, run_id: str, task_id: str) -> str:
        return next((task.state for task in self.api.tasks(DAG, run_id) if task.task_id == task_id), "none")

    def ended(self, run_id: str) -> Cost:
        """What a run did, once it has ended in success."""
        self.until(lambda: self.api.run(DAG, run_id).state in ENDED)
        failed = [task.name for task in self.api.tasks(DAG, run_id) if task.state == "failed"]
        assert (self.api.run(DAG, run_id).state, failed) == ("success", [])
        return Ledger(self.runtime, "small").cost(f"{DAG}:{run_id}")

    def uris(self) -> list[str]:
        """Documents with rows that the newest generation shows."""
        with self.runtime.database.transaction() as connection:
            (where,) = collections_of(connection, "small")
            sql = "SELECT DISTINCT uri FROM chunks WHERE collection_id = %s AND removed_in > 1000000 ORDER BY uri"
            return [row["uri"] for row in connection.execute(sql, [where.id]).fetchall()]

    def states(self) -> str:
        """For whoever reads a failure: every task of every run."""
        runs = self.api.runs(DAG)
        tasks = {run.run_id: [f"{task.name} {task.state}" for task in self.api.tasks(DAG, run.run_id)] for run in runs}
        return json.dumps(tasks, indent=2)

    def until(self, holds: Callable[[], Any], seconds: float = 120) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, self.states()
            time.sleep(0.5)
        return found


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Real]:
    workspace = Workspace(tmp_path)
    monkeypatch.setenv(MARK, str(tmp_path))
    (workspace.handbook / "documents").mkdir(parents=True)
    for folder in (workspace.handbook / "knowledge_bases", workspace.airflow_home, workspace.files, workspace.logs):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "dags" / "knowledge_base.py", workspace.handbook)
    (workspace.handbook / "knowledge_bases" / "small.yaml").write_text(CONFIGURATION)
    (workspace.handbook / "questions.jsonl").write_text(json.dumps(QUESTION))
    (workspace.handbook / "prompt.md").write_text("---\nrefusal: No.\n---\n$context\n$question\n")
    with ExitStack() as stack:
        stack.callback(end_leftovers, workspace)
        postgres = stack.enter_context(started(tmp_path / "postgres"))
        runtime = _runtime(postgres, workspace)
        airflow = Airflow(
            workspace, _free_port(), postgres, {"liftgate_database": _connection(postgres, runtime.settings)}
        )
        stack.callback(airflow.stop)
        airflow.start()
        api = Api(airflow.url, USER, airflow.password)
        made = Real(api, runtime, workspace)
        made.until(api.is_healthy)
        api.make_pool("models", 1)
        made.until(lambda: DAG in api.dag_ids())
        yield made


def test_a_knowledge_base_lives_under_a_real_scheduler(real: Real) -> None:
    for name in ("a.md", "b.md", "c.md"):
        real.write(name, f"The {name} lamp stands on the second floor, beside the green door.", datetime.now(UTC))
    real.write("old.md", "The old lamp stands in the cellar and has not been touched for days.", LONG_AGO)

    # By the clock: the run waits in the triggerer while another has the turn.
    file = real.workspace.handbook / "knowledge_bases" / "small.yaml"
    other = freeze_configuration(real.runtime, file, f"{DAG}:somebody", Scope(), Allowances())
    assert isinstance(take_turn(real.runtime, other), Turn)
    real.api.pause(DAG, False)
    first = real.new_run("scheduled")
    real.until(lambda: real.task(first, "wait_for_turn") == "deferred")
    release_turn(real.runtime, other)
    cost = real.ended(first)
    assert (cost.kind, cost.opened) == ("index", 4)

    # By an event: what changed is opened.
    real.write("b.md", "The blue lamp stands on the third floor now.", datetime.now(UTC))
    real.api.emit("liftgate://small/sources")
    event = real.new_run("asset_triggered")
    assert real.ended(event).opened == 1

    # A backfill of the day on which old.md was written parses that again, and removes nothing.
    real.remove("c.md")
    body = {"dag_id": DAG, "from_date": _midnight(LONG_AGO), "to_date": _midnight(LONG_AGO, days=1)}
    real.api._call("POST", "/backfills", json={**body, "reprocess_behavior": "none", "max_active_runs": 1})
    backfill = real.new_run("backfill")
    assert real.ended(backfill).opened == 1
    assert real.uris() == ["a.md", "b.md", "c.md", "old.md"]

    # A batch of an ended run is cleared: it takes the turn again, and what it wrote once it does not write twice.
    rows = _rows(real)
    body = {"dag_run_id": event, "task_ids": ["index_changes"], "only_failed": False, "include_downstream": True}
    real.api._call("POST", f"/dags/{DAG}/clearTaskInstances", json={**body, "dry_run": False})
    real.until(lambda: real.api.run(DAG, event).state not in ENDED)
    real.ended(event)
    assert _rows(real) == rows

    _live_is_told_to_those_who_may_know(real)


def _live_is_told_to_those_who_may_know(real: Real) -> None:
    """Where to read, with the filter of the release; nothing of it without a login."""
    url = f"{real.api._http.base_url}/liftgate/live/small"
    assert httpx.get(url).status_code == 401
    login = {"Authorization": real.api._http.headers["Authorization"]}
    assert httpx.get(url, headers=login).status_code == 404
    with real.runtime.database.transaction() as connection:
        lock_ledger(connection, "small")
        record(connection, "small", "promoted", by="test", run_id="test", release=1)
    found = httpx.get(url, headers=login).json()
    assert (found["release"], found["generation"], found["provider"]) == (1, 1, "pgvector")
    assert found["collection"].startswith("kb_chunks_small_g1_")
    assert [operand["valueInt"] for operand in found["where"]["operands"]] == [1, 1]
    assert httpx.get(url.replace("small", "other"), headers=login).status_code in (403, 404)


def _rows(real: Real) -> int:
    with real.runtime.database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n FROM chunks").fetchone()
    assert row
    return int(row["n"])


def _midnight(day: datetime, days: int = 0) -> str:
    return (day.replace(hour=0) + timedelta(days=days)).isoformat()


def _runtime(postgres: LocalPostgres, workspace: Workspace) -> Runtime:
    postgres.create_database("airflow", owner="airflow")
    url = postgres.create_database("liftgate", owner="liftgate")
    folders = {"models_dir": str(ROOT / ".models"), "trainer_dir": str(ROOT / "trainer_image")}
    runtime = Runtime(Settings(database_url=url, files_url=str(workspace.files), **folders))
    runtime.database.upgrade()
    return runtime


def _connection(postgres: LocalPostgres, settings: Settings) -> str:
    extra = {name: getattr(settings, name) for name in ("files_url", "models_dir", "trainer_dir")}
    connection = {"conn_type": "postgres", "host": str(postgres.socket_folder), "login": "liftgate"}
    return json.dumps({**connection, "schema": "liftgate", "extra": extra})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
