"""A ledger in which everything has happened that a page shows, and Airflow's own API server in front of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from databases import Databases
from psycopg.conninfo import conninfo_to_dict

sys.path.insert(0, str(Path(__file__).parents[2] / "liftgate"))

from told_ledger import told_ledger
from viewers import GROUPS, USERS

from liftgate.runtime import Runtime
from liftgate.settings import Settings

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from judged_knowledge_base import JudgedKnowledgeBase

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def told(databases: Databases, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> JudgedKnowledgeBase:
    """The knowledge base `small` with its ledger, in a database of its own."""
    folder = tmp_path_factory.mktemp("told")
    settings = Settings(
        database_url=databases.make("told", migrated),
        files_url=str(folder / "files"),
        models_dir=str(ROOT / ".models"),
        trainer_dir=str(ROOT / "trainer_image"),
    )
    return told_ledger(Runtime(settings), folder / "small")


@pytest.fixture(scope="session")
def api_server(told: JudgedKnowledgeBase, airflow_metadata: Path) -> Iterator[TestClient]:
    """Airflow's API server with the plugin in it, in this process."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    at = conninfo_to_dict(told.runtime.settings.database_url)
    connection = {"conn_type": "postgres", "host": at["host"], "login": at["user"], "schema": "told"}
    extra = {"files_url": "/files", "viewer_groups": GROUPS}
    os.environ["AIRFLOW_CONN_LIFTGATE_DATABASE"] = json.dumps({**connection, "extra": extra})
    _know_dags("kb_small", "roll_back_small", "resume_small")
    with TestClient(create_app(apps="core"), base_url="http://localhost") as client:
        yield client
    del os.environ["AIRFLOW_CONN_LIFTGATE_DATABASE"]


@pytest.fixture(scope="session")
def get(api_server: TestClient) -> Callable[..., Any]:
    """Ask for a path below /liftgate as a user of that name, or (None) as nobody."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    def ask(path: str, name: str | None = "viewer", method: str = "GET") -> Any:
        headers = {}
        if name:
            user = SimpleAuthManagerUser(username=name, role=USERS[name])
            headers["Authorization"] = f"Bearer {get_auth_manager().generate_jwt(user)}"
        return api_server.request(method, f"/liftgate{path}", headers=headers)

    return ask


def _know_dags(*dag_ids: str) -> None:
    """Let Airflow know DAGs of these ids, as its DAG processor does."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="pages"))
        session.flush()
        for dag_id in dag_ids:
            session.merge(DagModel(dag_id=dag_id, bundle_name="pages", is_paused=False, is_stale=False))
