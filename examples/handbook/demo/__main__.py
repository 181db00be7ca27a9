"""Start everything, play the story, and leave Airflow up until Ctrl-C.

PORT=8090   another port than 8080
EXIT=1      leave at the end: 0 if every step ended as described, 1 if not
INDEX=weaviate   on a Weaviate server: that of WEAVIATE_URL, else `weaviate` on PATH, else docker
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn
from urllib.parse import urlsplit

from demo import tables
from demo.api import Api, wait_until
from demo.failures import DemoFailed
from demo.ledger import Ledger
from demo.server import MARK, USER, Airflow, end_leftovers, require_free_port
from demo.show import Show
from demo.stage import Stage
from demo.story import play
from demo.workspace import PROJECT, Workspace
from liftgate.database import Database
from liftgate.errors import LiftgateError
from liftgate.local import weaviate
from liftgate.local.postgres import LocalPostgres, started
from liftgate.runtime import Runtime
from liftgate.settings import Settings

KB = "handbook"
DAGS = {f"kb_{KB}", f"adapter_{KB}", f"roll_back_{KB}", f"resume_{KB}"}


def main() -> int:
    """The exit code: 0 if the story went as promised, 1 if not, 130 after Ctrl-C."""
    show = Show()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _demo(show)
    except (DemoFailed, LiftgateError) as error:
        show.console.print("[red bold]The demo stopped.[/]", end=" ")
        show.say(str(error))
        return 1
    except KeyboardInterrupt:
        show.say("\nStopped. `make demo` starts again from nothing.")
        return 130


def _demo(show: Show) -> int:
    workspace = Workspace(PROJECT / ".demo")
    port, index = _port(), _index()
    with workspace.lock():
        if ended := end_leftovers(workspace):
            show.say(f"An earlier demo had left {ended} processes; they are ended.")
        require_free_port(port)
        workspace.make()
        workspace.edit_settings(vector_index={"provider": index})
        with _servers(workspace, show, port, index) as stage:
            play(stage)
            kept = tables.summary(stage)
            if os.environ.get("EXIT"):
                return 0 if kept else 1
            show.say("\nAirflow stays up. Ctrl-C stops everything.")
            while True:
                stage.require_alive()
                time.sleep(1)


@contextmanager
def _servers(workspace: Workspace, show: Show, port: int, index: str) -> Iterator[Stage]:
    """PostgreSQL, Airflow and perhaps Weaviate, with the handbook's DAGs loaded; ended afterwards, whatever happens."""
    os.environ[MARK] = str(workspace.root)
    with ExitStack() as stack:
        stack.callback(end_leftovers, workspace)
        with show.console.status("PostgreSQL and Airflow start ..."):
            postgres = stack.enter_context(started(workspace.root / "postgres"))
            settings = _settings(workspace, postgres)
            connections = {"liftgate_database": _connection(postgres, settings)}
            if index == "weaviate":
                found = stack.enter_context(weaviate.server(workspace.root / "weaviate"))
                connections["weaviate_default"] = _weaviate_connection(found)
                settings |= {f"LIFTGATE_{name.upper()}": value for name, value in found.items()}
            airflow = Airflow(workspace, port, postgres, connections)
            stack.callback(airflow.stop)
            airflow.start()
            api = _healthy_api(airflow)
        show.say(f"Airflow: {airflow.url}   user {USER}   password {airflow.password}")
        runtime = Runtime(Settings.from_environment(settings))
        yield Stage(api, Ledger(runtime, KB), workspace, show, settings, airflow.require_alive)
        show.say("\nEverything is being stopped ...")


def _settings(workspace: Workspace, postgres: LocalPostgres) -> dict[str, str]:
    """Two databases in one server: Airflow's and Liftgate's, each with a role of its own."""
    postgres.create_database("airflow", owner="airflow")
    url = postgres.create_database("liftgate", owner="liftgate")
    Database(url).upgrade()
    return {
        "LIFTGATE_DATABASE_URL": url,
        "LIFTGATE_FILES_URL": str(workspace.files),
        "LIFTGATE_MODELS_DIR": str(PROJECT / ".models"),
        "LIFTGATE_TRAINER_DIR": str(PROJECT / "trainer_image"),
        "LIFTGATE_CPU_THREADS": str(min(4, os.cpu_count() or 1)),
    }


def _connection(postgres: LocalPostgres, settings: dict[str, str]) -> str:
    """The same for Airflow: the connection `liftgate_database`, whose extras are the other settings."""
    extra = {name.removeprefix("LIFTGATE_").lower(): value for name, value in settings.items()}
    del extra["database_url"]
    if _index() == "weaviate":
        extra["weaviate_conn_id"] = "weaviate_default"
    connection = {"conn_type": "postgres", "host": str(postgres.socket_folder), "login": "liftgate"}
    return json.dumps({**connection, "schema": "liftgate", "extra": extra})


def _weaviate_connection(found: dict[str, str]) -> str:
    """A connection as a team has it that uses Airflow's Weaviate provider already."""
    http, grpc = urlsplit(found["weaviate_url"]), urlsplit(found.get("weaviate_grpc_url", ""))
    extra = {"grpc_host": grpc.hostname or http.hostname, "grpc_port": grpc.port or 50051}
    extra |= {"token": found["weaviate_api_key"]} if "weaviate_api_key" in found else {}
    extra |= {"http_secure": http.scheme == "https", "grpc_secure": grpc.scheme == "grpcs"}
    return json.dumps({"conn_type": "weaviate", "host": http.hostname, "port": http.port, "extra": extra})


def _healthy_api(airflow: Airflow) -> Api:
    api = Api(airflow.url, USER, airflow.password)
    wait_until("Airflow to be healthy", api.is_healthy, 180, airflow.require_alive)
    api.make_pool("models", 1)
    wait_until(f"the DAGs {', '.join(sorted(DAGS))}", lambda: set(api.dag_ids()) >= DAGS, 60, airflow.require_alive)
    if errors := api.import_errors():
        raise DemoFailed(f"Expected DAG files that can be read, found: {'; '.join(errors)}")
    return api


def _port() -> int:
    asked = os.environ.get("PORT") or "8080"
    if not asked.isdigit() or not 1024 <= int(asked) <= 65535:
        raise DemoFailed(f"Expected PORT to be a number from 1024 to 65535, found {asked!r}. Use make demo PORT=8090")
    return int(asked)


def _index() -> str:
    asked = os.environ.get("INDEX") or "pgvector"
    if asked not in ("pgvector", "weaviate"):
        raise DemoFailed(f"Expected INDEX to be pgvector or weaviate, found {asked!r}. Use make demo INDEX=weaviate")
    return asked


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
