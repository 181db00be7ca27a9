"""A real Airflow, with scheduler, triggerer and API server, that runs one small knowledge base."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from small_configuration import write_small

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "handbook"))

from demo.api import ENDED, Api
from demo.ledger import Cost, Ledger
from demo.server import MARK, USER, Airflow, end_leftovers
from demo.workspace import Workspace

from liftgate.generations import collections_of
from liftgate.local.postgres import LocalPostgres, started
from liftgate.runtime import Runtime
from liftgate.settings import Settings

ROOT = Path(__file__).parents[1]
DAG = "kb_small"


@dataclass
class Real:
    """An Airflow that runs one small knowledge base."""

    api: Api
    runtime: Runtime
    workspace: Workspace
    airflow: Airflow

    def write(self, name: str, text: str, at: datetime) -> None:
        path = self.workspace.handbook / "documents" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n\n{text}\n")
        os.utime(path, (at.timestamp(), at.timestamp()))

    def add_file(self, name: str, text: str) -> None:
        """Put a file beside the DAGs at once: Airflow may read them at any time, and half a file is a broken one."""
        path = self.workspace.handbook / name
        path.parent.mkdir(exist_ok=True)
        half = path.with_suffix(".half")
        half.write_text(text)
        half.replace(path)

    def remove(self, name: str) -> None:
        (self.workspace.handbook / "documents" / name).unlink()

    def runs(self, run_type: str) -> list[str]:
        """The runs of a type, those that were made first in front."""
        return [run.run_id for run in reversed(self.api.runs(DAG)) if run.run_type == run_type]

    def new_run(self, run_type: str, number: int = 1) -> str:
        """The first run of its type, or a later one, as soon as there is one."""
        return str(self.until(lambda: self.runs(run_type)[number - 1 :])[0])

    def parse_again(self, dag_id: str = DAG) -> None:
        """Read the DAG file now: a watcher begins when its DAG is read for the first time after it was unpaused."""
        token = self.api._call("GET", f"/dags/{dag_id}")["file_token"]
        self.api._call("PUT", f"/parseDagFile/{token}")

    @contextmanager
    def without_triggerer(self) -> Iterator[None]:
        """Stop it, as an upgrade does, and start another one at the end of the block."""
        process = self.airflow.processes["triggerer"]
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        yield
        self.airflow.start_component("triggerer")

    def log(self, run_id: str, task_id: str) -> str:
        """All that a task has logged."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1"
        return json.dumps(self.api._call("GET", path, params={"full_content": True}))

    def names(self, run_id: str, task_id: str) -> list[str]:
        """What the page calls the mapped tasks of a task."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances"
        found = self.api._call("GET", path, params={"limit": 100})["task_instances"]
        return [str(one["rendered_map_index"]) for one in found if one["task_id"] == task_id]

    def task(self, run_id: str, task_id: str) -> str:
        return next((task.state for task in self.api.tasks(DAG, run_id) if task.task_id == task_id), "none")

    def end(self, run_id: str, dag_id: str) -> str:
        """How a run of any DAG ended."""
        self.until(lambda: self.api.run(dag_id, run_id).state in ENDED)
        return self.api.run(dag_id, run_id).state

    def ended(self, run_id: str) -> Cost:
        """What a run did, once it has ended in success."""
        self.end(run_id, DAG)
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


@contextmanager
def real_airflow(
    folder: Path, more: str = "", own_dag: str = "", settings: Mapping[str, str] | None = None
) -> Iterator[Real]:
    """Start one over an empty ledger and the smallest knowledge base, with `more` in its file and a DAG of your own."""
    workspace = Workspace(folder)
    os.environ[MARK] = str(folder)
    for one in (workspace.airflow_home, workspace.files, workspace.logs):
        one.mkdir(parents=True)
    write_small(workspace.handbook, more)
    (workspace.handbook / "documents" / "a.md").unlink()
    shutil.copy(ROOT / "dags" / "knowledge_base.py", workspace.handbook)
    (workspace.handbook / "own_dag.py").write_text(own_dag)
    with ExitStack() as stack:
        stack.callback(os.environ.pop, MARK)
        stack.callback(end_leftovers, workspace)
        postgres = stack.enter_context(started(folder / "postgres"))
        runtime = _runtime(postgres, workspace)
        airflow = Airflow(
            workspace, _free_port(), postgres, {"liftgate_database": _connection(postgres, runtime.settings)}
        )
        airflow.environment.update(settings or {})
        stack.callback(airflow.stop)
        airflow.start()
        api = Api(airflow.url, USER, airflow.password)
        made = Real(api, runtime, workspace, airflow)
        made.until(api.is_healthy)
        api.make_pool("models", 1)
        made.until(lambda: DAG in api.dag_ids())
        yield made


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
