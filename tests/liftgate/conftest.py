"""Knowledge bases and runtimes over real databases and indexes, for all tests of the library."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from databases import Databases
from judged_knowledge_base import JudgedKnowledgeBase
from small_knowledge_base import SmallKnowledgeBase

from liftgate.releases.ledger import lock_ledger, record
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate.sources.kinds.folder import FolderReader

_numbers = count(1)


@pytest.fixture
def small(runtime: Runtime, tmp_path: Path) -> Iterator[SmallKnowledgeBase]:
    """A knowledge base with two documents in a database of its own, nothing of it indexed yet."""
    made = _with_two_documents(SmallKnowledgeBase(runtime, tmp_path / "small"))
    yield made
    made.runtime.database.close()


@pytest.fixture(scope="session")
def shared_runtime(databases: Databases, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime over one database for all tests whose rows are told apart by the name of a knowledge base."""
    return Runtime(_settings(databases.make("shared", migrated), tmp_path_factory.mktemp("shared")))


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> str:
    """Where the rows of `kb` are: pgvector, unless a module asks for `both_indexes`."""
    return str(getattr(request, "param", "pgvector"))


@pytest.fixture(scope="session")
def weaviate_runtime(shared_runtime: Runtime, weaviate_settings: dict[str, str]) -> Runtime:
    """The shared runtime with a Weaviate server."""
    return Runtime(Settings.model_validate({**shared_runtime.settings.model_dump(), **weaviate_settings}))


@pytest.fixture
def kb(shared_runtime: Runtime, provider: str, request: pytest.FixtureRequest, tmp_path: Path) -> SmallKnowledgeBase:
    """A knowledge base with two documents and a name of its own in the shared database, nothing of it indexed yet."""
    with shared_runtime.database.transaction() as connection:
        connection.execute("DELETE FROM embeddings")
    runtime = request.getfixturevalue("weaviate_runtime") if provider == "weaviate" else shared_runtime
    made = SmallKnowledgeBase(runtime, tmp_path / "kb", f"kb{next(_numbers)}")
    if provider == "weaviate":
        made.ingest(vector_index={"provider": "weaviate"})
    return _with_two_documents(made)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The documents of folders that were opened."""
    names: list[str] = []
    read = FolderReader.read

    def spy(self: FolderReader, uri: str, version_hint: str) -> bytes:
        names.append(uri)
        return read(self, uri, version_hint)

    monkeypatch.setattr(FolderReader, "read", spy)
    return names


def _with_two_documents(made: SmallKnowledgeBase) -> SmallKnowledgeBase:
    made.write("leave.md", "# Leave\n\nParents receive sixteen weeks of paid leave.\n")
    made.write("travel.md", "# Travel\n\nTrains are booked in second class.\n")
    return made


@pytest.fixture
def promoted() -> Callable[[Runtime, str, int], None]:
    """Write a promotion into the ledger, as the gate's work is not what these tests are about."""

    def write(runtime: Runtime, kb: str, n: int) -> None:
        with runtime.database.transaction() as connection:
            lock_ledger(connection, kb)
            record(connection, kb, "promoted", by="test", run_id=f"test-{n}-{os.urandom(4).hex()}", release=n)

    return write


@pytest.fixture(scope="session")
def judged_once(databases: Databases, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> JudgedKnowledgeBase:
    """The knowledge base that the tests take copies of, in a database of its own."""
    folder = tmp_path_factory.mktemp("judged")
    runtime = Runtime(_settings(databases.make("judged", migrated), folder))
    return JudgedKnowledgeBase(runtime, folder / "small")


@pytest.fixture
def judged(
    judged_once: JudgedKnowledgeBase, databases: Databases, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[JudgedKnowledgeBase]:
    """A knowledge base with golden questions enough for real verdicts, whose first release is live."""
    name = f"judged_{abs(hash(request.node.nodeid))}"
    made = judged_once.copy(_settings(databases.make(name, "judged"), tmp_path), tmp_path / "small")
    yield made
    made.runtime.database.close()
    databases.done(name)


def _settings(database_url: str, folder: Path) -> Settings:
    root = Path(__file__).parents[2]
    return Settings(
        database_url=database_url,
        files_url=str(folder / "files"),
        models_dir=str(root / ".models"),
        trainer_dir=str(root / "trainer_image"),
    )
