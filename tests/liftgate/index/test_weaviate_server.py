"""A connection to Weaviate, and a server that refuses, is slow, or ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from threading import Thread
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from weaviate_rows import DIMS, row, settings, unit

from liftgate import housekeeping
from liftgate.config.embeddings import Embeddings
from liftgate.config.retrieval import Retrieval
from liftgate.config.retrieval import VectorIndex as VectorIndexBlock
from liftgate.errors import CollectionMissing, ConfigurationError, IndexDiffers, IndexRefused, IndexUnavailable
from liftgate.generations import Collection, new_collection
from liftgate.index import VectorIndex
from liftgate.index.weaviate.client import connect, require_version, translated
from liftgate.indexing import close_generation, index_changes
from liftgate.local.weaviate import LocalWeaviate, started
from liftgate.releases.index_of_release import require_whole
from liftgate.runtime import Runtime

on_weaviate = pytest.mark.parametrize("provider", ["weaviate"], indirect=True)
WAYS = [{"distance": name} for name in ("dot", "l2-squared")]
WAYS += [{"quantization": name} for name in ("rq", "sq", "pq", "bq")]


def test_missing_address_is_told_with_its_setting(shared_runtime: Runtime) -> None:
    with pytest.raises(ConfigurationError, match=r"LIFTGATE_WEAVIATE_URL.*weaviate_conn_id"):
        connect(shared_runtime.settings)


@pytest.mark.parametrize("url", ["db:8080", "ftp://db", "http://"])
def test_address_that_is_none_is_refused(shared_runtime: Runtime, url: str) -> None:
    with pytest.raises(ConfigurationError, match="http://host:8080"):
        connect(settings(shared_runtime, weaviate_url=url))


def test_same_port_for_both_protocols_is_refused(shared_runtime: Runtime) -> None:
    with pytest.raises(ConfigurationError, match="another port"):
        connect(settings(shared_runtime, weaviate_url="http://w:8080", weaviate_grpc_url="grpc://w:8080"))


def test_server_that_is_away_is_worth_a_retry(shared_runtime: Runtime) -> None:
    with pytest.raises(IndexUnavailable, match="LIFTGATE_WEAVIATE_URL"):
        connect(settings(shared_runtime, weaviate_url="http://127.0.0.1:1", weaviate_grpc_url="grpc://127.0.0.1:2"))


@pytest.mark.parametrize("key", ["wrong", None])
def test_key_that_is_refused_is_no_reason_to_retry(weaviate_runtime: Runtime, key: str | None) -> None:
    with pytest.raises(ConfigurationError, match="LIFTGATE_WEAVIATE_API_KEY"):
        connect(settings(weaviate_runtime, weaviate_api_key=key))


def test_server_that_is_too_old_is_refused() -> None:
    require_version("1.32.0")
    require_version("1.40.0-dev")
    with pytest.raises(ConfigurationError, match=r"1\.32 or newer, found 1\.27\.3"):
        require_version("1.27.3")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("could not find class Kb_chunks_permission_denied_docs_g1_7c7f36_1ca500 in schema", CollectionMissing),
        ("vector lengths differ: 1500 vs 1536", IndexRefused),
        ("UNAVAILABLE: connection refused", IndexUnavailable),
        ("UNAUTHENTICATED: unauthorized: invalid api key", ConfigurationError),
    ],
)
def test_reason_is_read_without_the_names_that_stand_in_it(reason: str, kind: type[Exception]) -> None:
    from weaviate.exceptions import WeaviateQueryError

    with pytest.raises(kind) as caught, translated("search"):
        raise WeaviateQueryError(reason, "GRPC search")
    assert type(caught.value) is kind


def test_headers_of_the_settings_go_with_each_request(weaviate_runtime: Runtime) -> None:
    client = connect(settings(weaviate_runtime, weaviate_headers={"X-Team": "search"}))
    try:
        assert client._connection.additional_headers["X-Team"] == "search"
        assert client.is_ready()
    finally:
        client.close()


@pytest.mark.parametrize("made", WAYS, ids=str)
def test_every_way_to_make_a_collection_gives_cosines(weaviate_runtime: Runtime, made: dict[str, str]) -> None:
    block = VectorIndexBlock.model_validate({"provider": "weaviate", "weaviate": made})
    with weaviate_runtime.database.transaction() as connection:
        where = new_collection(connection, "ways", block, Embeddings(), "words", DIMS, 1)
        index = weaviate_runtime.index_in(connection, where)
        index.ensure()
        rows = [row(number) for number in range(20)]
        index.upsert(rows)
        hits = index.search(unit(3), "", 1, 1, ["staff"], Retrieval())
        index.drop()
    assert [hit.id for hit in hits] == [rows[3].id]
    assert hits[0].score == pytest.approx(1, abs=1e-3)


def test_collection_that_somebody_else_made_is_left_alone(weaviate_runtime: Runtime, where: Collection) -> None:
    weaviate_runtime.servers.weaviate.collections.create(where.name, description="mine")
    with weaviate_runtime.database.transaction() as connection:
        index = weaviate_runtime.index_in(connection, where)
        with pytest.raises(ConfigurationError, match=r"found one that says 'mine'.*vector_index\.table"):
            index.ensure()


def test_collection_of_other_dimensions_is_left_alone(
    weaviate_runtime: Runtime, index: VectorIndex, where: Collection
) -> None:
    with weaviate_runtime.database.transaction() as connection:
        other = weaviate_runtime.index_in(connection, replace(where, dims=DIMS + 1))
        with pytest.raises(ConfigurationError, match="9 dimensions"):
            other.ensure()


@on_weaviate
def test_server_that_only_reads_refuses_with_ids_and_the_next_run_converges(kb: Any) -> None:
    """A full disk makes a server read-only."""
    kb.index()
    (index,) = kb.indexes()
    rows = kb.runtime.servers.weaviate.collections.get(index.collection.name)
    rows.config.update_shards(status="READONLY")
    kb.write("leave.md", "# Leave\n\nParents receive twenty weeks of paid leave.\n")
    with pytest.raises((IndexRefused, IndexUnavailable), match="read-only"):
        kb.index()
    assert "sixteen" in kb.seen(1)[0]
    rows.config.update_shards(status="READY")
    kb.index()
    assert "twenty" in kb.seen(2)[0]
    assert len(kb.chunks()) == 3


@on_weaviate
def test_revocation_reaches_the_live_collection_although_somebody_deleted_an_older_one(kb: Any) -> None:
    kb.index()
    kb.ingest(embeddings={"dims": 256})
    kb.index()
    first, _ = (index.collection.name for index in kb.indexes())
    kb.runtime.servers.weaviate.collections.delete(first)
    kb.allow_groups({}, default=["board"])
    kb.start()
    *_, newest = kb.indexes()
    assert {one.groups for one in newest.rows(2)} == {("board",)}


@on_weaviate
def test_collection_of_another_installation_of_the_same_names_is_never_shared(kb: Any) -> None:
    kb.index()
    (index,) = kb.indexes()
    with kb.runtime.database.transaction() as connection:
        where = index.collection
        block = VectorIndexBlock(provider="weaviate")
        other = new_collection(connection, kb.name, block, where.embeddings, where.embedder, where.dims, 1)
    assert other.name != where.name
    assert other.name.startswith(where.name[:-6])


@on_weaviate
def test_rows_that_come_late_stop_a_promotion_until_housekeeping_has_deleted_them(kb: Any, promoted: Any) -> None:
    """A writer that was paused between its check and its request wakes up after the generation was closed."""
    n = kb.propose()
    require_whole(kb.runtime, kb.name, n)
    kb.add_like("leave.md", id=uuid4(), text="late")
    with pytest.raises(IndexDiffers, match="1 are unknown.*housekeeping"):
        require_whole(kb.runtime, kb.name, n)
    assert housekeeping.compare_newest(kb.runtime, kb.start()) == 1
    require_whole(kb.runtime, kb.name, n)


@pytest.fixture
def own_server(tmp_path: Any) -> Iterator[LocalWeaviate]:
    """A server that a test may kill."""
    binary = shutil.which("weaviate")
    if binary is None:
        pytest.skip("The binary `weaviate` was not found. Put it on PATH: a server of docker is not killed here.")
    with started(binary, tmp_path / "weaviate") as one:
        yield one


@pytest.mark.slow
def test_server_killed_in_the_middle_of_an_import_has_every_row_once_after_the_retry(
    kb: Any, own_server: LocalWeaviate
) -> None:
    kb.ingest(vector_index={"provider": "weaviate"})
    kb.write_settings(indexing={"batch_documents": 1000})
    fresh = lambda: Runtime(settings(kb.runtime, **own_server.settings), kb.runtime._embedders)  # noqa: E731
    kb.runtime = fresh()
    for number in range(600):
        kb.write(f"many/{number}.md", f"# Room {number}\n\nRoom {number} has {number + 3} chairs.\n")
    run = kb.start()
    (batch,) = kb.plan(run)
    killer = Thread(target=kill_when_rows_arrive, args=(kb, own_server))
    killer.start()
    with pytest.raises((IndexUnavailable, IndexRefused)):
        index_changes(kb.runtime, run, batch)
    killer.join()
    own_server.start()
    kb.runtime = fresh()
    index_changes(kb.runtime, run, batch)
    close_generation(kb.runtime, run)
    (index,) = kb.indexes()
    rows = list(index.rows(1))
    assert len(rows) == len({(row.uri, row.ordinal) for row in rows}) == 602


def kill_when_rows_arrive(kb: Any, server: LocalWeaviate) -> None:
    watching = Runtime(kb.runtime.settings)
    with watching.database.transaction() as connection:
        name = connection.execute("SELECT name FROM collections WHERE kb = %s", [kb.name]).fetchone()["name"]
    rows = watching.servers.weaviate.collections.get(name)
    while not rows.aggregate.over_all(total_count=True).total_count:
        sleep(0.01)
    server.kill()
