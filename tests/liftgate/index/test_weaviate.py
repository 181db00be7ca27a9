"""What Weaviate has and pgvector has not: a connection, requests that fail or come late, words, aliases."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread
from time import sleep
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from liftgate import housekeeping
from liftgate.config.embeddings import Embeddings
from liftgate.config.retrieval import Retrieval
from liftgate.config.retrieval import VectorIndex as VectorIndexBlock
from liftgate.errors import CollectionMissing, ConfigurationError, IndexDiffers, IndexRefused, IndexUnavailable
from liftgate.generations import Collection, new_collection
from liftgate.index import Chunk, VectorIndex
from liftgate.index.rows import Vector
from liftgate.index.weaviate import visible, visible_json
from liftgate.index.weaviate.client import connect, require_version, translated
from liftgate.indexing import close_generation, index_changes
from liftgate.local.weaviate import LocalWeaviate, started
from liftgate.releases.index_of_release import follow_live, require_whole
from liftgate.releases.ledger import live
from liftgate.releases.rollback import roll_back
from liftgate.retrieval import Asked, retrieve
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate.sources.identity import Document

on_weaviate = pytest.mark.parametrize("provider", ["weaviate"], indirect=True)
DIMS = 8
WAYS = [{"distance": name} for name in ("dot", "l2-squared")]
WAYS += [{"quantization": name} for name in ("rq", "sq", "pq", "bq")]
LONG = Document("documents", "long.md")


def unit(seed: int) -> Vector:
    vector = np.random.default_rng(seed).standard_normal(DIMS).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def row(ordinal: int = 0, **values: Any) -> Chunk:
    made = Chunk(
        id=uuid4(),
        source=LONG.source,
        uri=LONG.uri,
        doc_id=LONG.uri,
        version="v1",
        ordinal=ordinal,
        section="",
        text=f"piece {ordinal}",
        tokens=2,
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        groups=("staff",),
        embedding=unit(ordinal),
        added_in=1,
    )
    return replace(made, **values)


@pytest.fixture
def where(weaviate_runtime: Runtime, request: pytest.FixtureRequest) -> Iterator[Collection]:
    """A collection that is not made yet, and gone after the test."""
    name = f"own{abs(hash(request.node.nodeid))}"
    with weaviate_runtime.database.transaction() as connection:
        block = VectorIndexBlock(provider="weaviate")
        made = new_collection(connection, name, block, Embeddings(), "words", DIMS, 1)
    yield made
    weaviate_runtime.servers.weaviate.collections.delete(made.name)


@pytest.fixture
def index(weaviate_runtime: Runtime, where: Collection) -> Iterator[VectorIndex]:
    """An empty collection."""
    with weaviate_runtime.database.transaction() as connection:
        made = weaviate_runtime.index_in(connection, where)
        made.ensure()
        yield made


def settings(runtime: Runtime, **other: object) -> Settings:
    return Settings.model_validate({**runtime.settings.model_dump(), **other})


# The connection ---------------------------------------------------------------------------------------------


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


# Bad states of the server -----------------------------------------------------------------------------------


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


# Killed in the middle ---------------------------------------------------------------------------------------


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


# Many rows --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_more_rows_than_the_server_answers_or_deletes_at_once(index: VectorIndex) -> None:
    """10,000 is its limit for both; here they are of one document, which no window of ordinals may cut off."""
    rows = [row(number) for number in range(10_050)]
    index.upsert(rows)
    assert len(index.ids(1)) == len(list(index.rows(1, LONG))) == 10_050
    index.set_groups(LONG, ["board"])
    assert index.search(unit(0), "", 3, 1, ["staff"], Retrieval()) == []
    index.mark_removed([one.id for one in rows[:600]], 2)
    assert len(index.ids(2)) == 9_450
    assert index.prune([3]) == 600
    index.delete(index.added([LONG], 1))
    assert index.ids(1) == set()


@pytest.mark.slow
def test_revocation_reaches_every_version_of_a_document_that_changes_very_often(index: VectorIndex) -> None:
    rows = [row(0, added_in=number, version=f"v{number}", groups=("all", "board")) for number in range(1, 1_201)]
    index.upsert(rows)
    index.set_groups(LONG, ["board"])
    left = {number: [one.groups for one in index.rows(number, LONG)] for number in (1, 600, 1_200)}
    assert all(groups == ("board",) for found in left.values() for groups in found)
    rows_of = index._client.collections.get(index.collection.name)  # type: ignore[attr-defined]
    assert {tuple(one.properties["groups"]) for one in rows_of.iterator(return_properties=["groups"])} == {("board",)}


# Searches ---------------------------------------------------------------------------------------------------


def found(
    index: VectorIndex, text: str, search: Any, generation: int = 1, groups: Any = ("staff",), **more: Any
) -> Any:
    settings = Retrieval(search=search, **more)
    return [hit.text for hit in index.search(unit(0), text, 2, generation, groups, settings)]


def test_words_find_what_vectors_do_not(index: VectorIndex) -> None:
    near = [row(number, embedding=unit(0), text=f"near {number}") for number in range(3)]
    far = row(7, embedding=-unit(0), text="The zeppelin desk opens at nine")
    index.upsert([*near, far])
    assert far.text not in found(index, "zeppelin", "vector")
    assert found(index, "zeppelin", "keyword") == [far.text]
    assert found(index, "zeppelin", "hybrid", alpha=0.2)[0] == far.text
    assert far.text not in found(index, "zeppelin", "hybrid", alpha=1)


def test_scores_are_cosines_whatever_is_searched_by(index: VectorIndex) -> None:
    """So that `min_score` means the same."""
    far = row(7, embedding=-unit(0), text="The zeppelin desk opens at nine")
    index.upsert([far])
    for search in ("vector", "keyword", "hybrid"):
        (hit,) = index.search(unit(0), "zeppelin", 1, 1, ["staff"], Retrieval(search=search))
        assert hit.score == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("search", ["keyword", "hybrid"])
def test_words_find_only_what_the_release_holds_and_the_groups_may_read(index: VectorIndex, search: str) -> None:
    old, new = row(0, text="zeppelin old"), row(1, text="zeppelin new", added_in=2)
    closed = row(2, text="zeppelin closed", groups=("board",))
    index.upsert([old, new, closed])
    index.mark_removed([old.id], 2)
    assert found(index, "zeppelin", search) == ["zeppelin old"]
    assert found(index, "zeppelin", search, generation=2) == ["zeppelin new"]
    assert found(index, "zeppelin", search, groups=("board",)) == ["zeppelin closed"]
    assert found(index, "zeppelin", search, groups=()) == []


# For applications of the team's own -------------------------------------------------------------------------


def test_filter_for_a_teams_own_queries_keeps_candidates_and_removed_rows_out(
    index: VectorIndex, where: Collection, weaviate_runtime: Runtime
) -> None:
    old, new, closed = row(0), row(1, added_in=2), row(2, groups=("board",))
    index.upsert([old, new, closed])
    index.mark_removed([old.id], 2)
    rows = weaviate_runtime.servers.weaviate.collections.get(where.name)
    seen = rows.query.fetch_objects(filters=visible(2)).objects
    assert {one.uuid for one in seen} == {new.id, closed.id}
    mine = rows.query.fetch_objects(filters=visible(2, ["staff"])).objects
    assert {one.uuid for one in mine} == {new.id}
    with pytest.raises(ValueError, match="at least one group"):
        visible(2, [])


def test_filter_as_json_means_the_same_to_the_server(
    index: VectorIndex, where: Collection, weaviate_runtime: Runtime
) -> None:
    old, new = row(0), row(1, added_in=2)
    index.upsert([old, new])
    index.mark_removed([old.id], 2)
    own = weaviate_runtime.settings
    login = {"Authorization": f"Bearer {own.weaviate_api_key.get_secret_value()}"} if own.weaviate_api_key else {}

    def matches(generation: int) -> Any:
        body = {"match": {"class": where.name, "where": visible_json(generation)}, "dryRun": True, "output": "verbose"}
        return httpx.request("DELETE", f"{own.weaviate_url}/v1/batch/objects", json=body, headers=login).json()

    for generation, seen in ((1, old), (2, new)):
        assert [one["id"] for one in matches(generation)["results"]["objects"]] == [str(seen.id)]


@on_weaviate
def test_alias_follows_what_is_live(kb: Any, promoted: Callable[..., None]) -> None:
    kb.settings["retention"] = {"keep_releases": 5, "keep_hours": 1}
    promoted(kb.runtime, kb.name, kb.propose())
    follow_live(kb.runtime, kb.name)
    kb.ingest(embeddings={"dims": 256})
    promoted(kb.runtime, kb.name, kb.propose())
    follow_live(kb.runtime, kb.name)
    first, second = (index.collection.name.lower() for index in kb.indexes())
    assert led_to(kb) == second
    roll_back(kb.runtime, kb.name, 1, kind="drill", why="test", by="test", run_id="back")
    assert led_to(kb) == first


def led_to(kb: Any) -> str:
    found = kb.runtime.servers.weaviate.alias.get(alias_name=f"Kb_chunks_{kb.name}_live")
    return str(found.collection).lower()


@on_weaviate
def test_knowledge_base_that_comes_from_pgvector_gets_a_collection_there_and_embeds_nothing(
    kb: Any, promoted: Callable[..., None]
) -> None:
    kb.ingest(vector_index={"provider": "pgvector"})
    promoted(kb.runtime, kb.name, kb.propose())
    kb.ingest(vector_index={"provider": "weaviate"})
    promoted(kb.runtime, kb.name, kb.propose())
    assert [index.collection.provider for index in kb.indexes()] == ["pgvector", "weaviate"]
    assert kb.generations()[-1]["counts"]["embedded"] == 0
    assert "sixteen" in best(kb)
    kb.allow_groups({}, default=["board"])
    kb.start()
    assert kb.groups("leave.md") == [["board"], ["board"]]


@pytest.mark.parametrize("provider", ["pgvector", "weaviate"], indirect=True)
def test_rollback_gives_readers_the_earlier_rows_at_once(kb: Any, promoted: Callable[..., None]) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write("leave.md", "# Leave\n\nParents receive twenty weeks of paid leave.\n")
    promoted(kb.runtime, kb.name, kb.propose())
    assert "twenty" in best(kb)
    roll_back(kb.runtime, kb.name, 1, kind="drill", why="test", by="test", run_id="back")
    assert "sixteen" in best(kb)


def best(kb: Any) -> str:
    with kb.runtime.database.transaction() as connection:
        current = live(connection, kb.name)
    assert current
    asked = Asked("How long is the leave?", ("staff",))
    return retrieve(kb.runtime, current.makeup, [asked])[0].chunks[0].text
