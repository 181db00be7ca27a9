"""Start everything, play the story, and leave Airflow up until Ctrl-C.

    PORT=8090   another port than 8080
    EXIT=1      leave at the end: 0 if every step ended as described, 1 if not
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo import tables
from demo.api import Api, wait_until
from demo.failures import DemoFailed
from demo.ledger import Ledger
from demo.server import USER, Airflow, end_leftovers, environment_mark, require_free_port
from demo.show import Show
from demo.stage import Stage
from demo.story import play
from demo.workspace import PROJECT, Workspace

from liftgate.database import Database
from liftgate.errors import LiftgateError
from liftgate.local.postgres import LocalPostgres, started

KB = "handbook"
DAGS = {f"kb_{KB}", f"adapter_{KB}", f"prompt_{KB}", f"roll_back_{KB}", f"resume_{KB}", "housekeeping"}


def main() -> int:
    """The exit code: 0 if the story went as promised."""
    show = Show()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _demo(show)
    except (DemoFailed, LiftgateError) as error:
        show.console.print(f"[red bold]The demo stopped.[/] {error}", markup=True)
        return 1
    except KeyboardInterrupt:
        show.say("\nStopped. Everything has ended; `make demo` starts again from nothing.")
        return 130


def _demo(show: Show) -> int:
    workspace = Workspace(PROJECT / ".demo")
    with workspace.lock():
        if ended := end_leftovers(workspace):
            show.say(f"Ended {ended} processes that an earlier demo left.")
        port = _port()
        require_free_port(port)
        workspace.make()
        with _servers(workspace, show, port) as stage:
            play(stage)
            kept = tables.summary(stage)
            if os.environ.get("EXIT"):
                return 0 if kept else 1
            _stay(stage, port)
    return 0


@contextlib.contextmanager
def _servers(workspace: Workspace, show: Show, port: int) -> Iterator[Stage]:
    """PostgreSQL and Airflow, healthy, with the handbook's DAGs loaded; stopped at the end, whatever happens."""
    os.environ.update(environment_mark(workspace))
    with contextlib.ExitStack() as stack, show.console.status("PostgreSQL starts ..."):
        postgres = stack.enter_context(started(workspace.root / "postgres"))
        stack.callback(end_leftovers, workspace)
        url = postgres.create_database("liftgate", owner="liftgate")
        postgres.create_database("airflow", owner="airflow")
        Database(url).upgrade()
    with started_airflow(workspace, port, postgres) as airflow: ...
