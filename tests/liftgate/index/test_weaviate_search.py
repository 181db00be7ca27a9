"""What is found in Weaviate: by words and vectors, among many rows, and by a team's own queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from weaviate_rows import LONG, row, unit

from liftgate.config.retrieval import Retrieval
from liftgate.generations import Collection
from liftgate.index import VectorIndex
from liftgate.index.weaviate import visible, visible_json
from liftgate.releases.index_of_release import follow_live
from liftgate.releases.ledger import live
from liftgate.releases.rollback import roll_back
from liftgate.retrieval import Asked, retrieve
from liftgate.runtime import Runtime

on_weaviate = pytest.mark.parametrize("provider", ["weaviate"], indirect=True)


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
