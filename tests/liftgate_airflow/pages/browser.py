"""A real Airflow with a told ledger behind it, and a real browser in front of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "handbook"))

from demo.api import Api
from demo.server import MARK, USER, Airflow, end_leftovers
from demo.workspace import Workspace
from told_ledger import told_ledger
from viewers import GROUPS

from liftgate.local.postgres import started
from liftgate.runtime import Runtime
from liftgate.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[3]
USERS = {USER: "admin", "viewer": "viewer", "op": "op"}
DAGS = {"kb_small", "prompt_small", "roll_back_small", "resume_small"}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Without these, Chromium asks its maker's servers at every start."""
OVER_WEEKS = """
    ALTER TABLE events DISABLE TRIGGER append_only;
    ALTER TABLE releases DISABLE TRIGGER append_only;
    ALTER TABLE verdicts DISABLE TRIGGER append_only;
    UPDATE events e SET at = now() - (7 - day) * interval '4 days' + n * interval '7 minutes'
      FROM (SELECT n AS number, max(release) OVER (ORDER BY n) AS day FROM events) d WHERE d.number = e.n;
    UPDATE releases r SET created_at = e.at FROM events e WHERE e.release = r.n AND e.kind = 'proposed';
    UPDATE verdicts v SET decided_at = e.at FROM events e WHERE e.release = v.release AND e.kind = 'evaluated';
    UPDATE listings l SET started_at = r.created_at - (1 + r.n % 3) * interval '9 minutes'
      FROM releases r WHERE r.run_id = l.run_id;
    ALTER TABLE events ENABLE TRIGGER append_only;
    ALTER TABLE releases ENABLE TRIGGER append_only;
    ALTER TABLE verdicts ENABLE TRIGGER append_only;
"""
"""A ledger grows over weeks; this one was written within seconds, in which no plot shows anything."""


@dataclass
class Site:
    """Airflow's address, its users, and the knowledge base that its pages are about."""

    api: Api
    url: str
    runtime: Runtime
    passwords: dict[str, str]

    def token(self, user: str) -> str:
        """What a login gives."""
        login = {"username": user, "password": self.passwords[user]}
        return str(httpx.post(f"{self.url}/auth/token", json=login).raise_for_status().json()["access_token"])

    def live(self) -> int:
        """The release that is live."""
        with self.runtime.database.transaction() as connection:
            row = connection.execute("SELECT n FROM live_releases WHERE kb = 'small'").fetchone()
        assert row
        return int(row["n"])


@dataclass
class Visit:
    """One person's browser: its page, what the console complained about, and what was asked for."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str) -> None:
        """Open a page of Liftgate and wait until its plots are drawn."""
        self.page.goto(f"{self.site.url}/liftgate{path}", wait_until="load")
        for drawing in self.page.locator(".drawing").all():
            drawing.locator("svg").wait_for()

    @property
    def asked_elsewhere(self) -> list[str]:
        """What was asked of another server than Airflow's."""
        return [url for url in self.asked if not url.startswith((self.site.url, "data:"))]


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Airflow over the told ledger, with three users. Everything ends with the context."""
    workspace = Workspace(folder)
    for made in (workspace.airflow_home, workspace.files, workspace.logs):
        made.mkdir(parents=True)
    with ExitStack() as stack:
        stack.callback(end_leftovers, workspace)
        postgres = stack.enter_context(started(folder / "postgres"))
        postgres.create_database("airflow", owner="airflow")
        settings = _settings(postgres.create_database("liftgate", owner="liftgate"), workspace)
        runtime = Runtime(settings)
        runtime.database.upgrade()
        told_ledger(runtime, workspace.handbook)
        _spread(runtime)
        for file in ("knowledge_base.py", "roll_back.py"):
            shutil.copy(ROOT / "dags" / file, workspace.handbook)
        extra = {name: getattr(settings, name) for name in ("files_url", "models_dir", "trainer_dir")}
        extra["viewer_groups"] = GROUPS
        at = {"conn_type": "postgres", "host": str(postgres.socket_folder), "login": "liftgate", "schema": "liftgate"}
        airflow = Airflow(workspace, _free_port(), postgres, {"liftgate_database": json.dumps({**at, "extra": extra})})
        airflow.environment.update(_more(workspace))
        stack.callback(_kill, airflow)
        airflow.start()
        yield _ready(Api(airflow.url, USER, airflow.password), airflow, runtime)


@contextmanager
def visit(browser: Browser, at: Site, user: str | None, **look: object) -> Iterator[Visit]:
    """A fresh browser session, logged in or (None) not. `look`: color_scheme, viewport."""
    context = browser.new_context(**look)  # type: ignore[arg-type]
    try:
        if user:
            context.add_cookies([{"name": "_token", "value": at.token(user), "url": at.url}])
        yield Visit(context.new_page(), at)
    finally:
        context.close()


def _ready(api: Api, airflow: Airflow, runtime: Runtime) -> Site:
    _until(api.is_healthy)
    api.make_pool("models", 1)
    _until(lambda: set(api.dag_ids()) >= DAGS)
    passwords = Path(airflow.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    return Site(api, airflow.url, runtime, json.loads(passwords.read_text()))


def _spread(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(OVER_WEEKS)  # type: ignore[call-overload]


def _kill(airflow: Airflow) -> None:
    """Its database goes with it, so that nothing has to end in order."""
    for process in airflow.processes.values():
        os.killpg(process.pid, signal.SIGKILL)
    airflow.stop()


def _until(holds: object, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline, "Airflow is not ready in time."
        time.sleep(0.5)


def _settings(url: str, workspace: Workspace) -> Settings:
    folders = {"models_dir": str(ROOT / ".models"), "trainer_dir": str(ROOT / "trainer_image")}
    return Settings(database_url=url, files_url=str(workspace.files), **folders)


def _more(workspace: Workspace) -> dict[str, str]:
    """Three users, and the code that this process runs."""
    users = ",".join(f"{name}:{role}" for name, role in USERS.items())
    paths = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    return {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users, MARK: str(workspace.root), **paths}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
