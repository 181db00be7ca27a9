"""Generations: a candidate costs what changed, and what a release sees never changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from liftgate.indexing import index_changes
from liftgate.turns import release_turn

pytestmark = pytest.mark.parametrize("provider", ["pgvector", "weaviate"], indirect=True)
SIXTEEN = "# Leave\n\nParents receive sixteen weeks of paid leave.\n"
TWENTY = "# Leave\n\nParents receive twenty weeks of paid leave.\n"


def counts(kb: Any) -> dict[str, int]:
    found: dict[str, int] = kb.generations()[-1]["counts"]
    return found


def collection_ids(kb: Any) -> list[int]:
    return [row["collection_id"] for row in kb.generations()]


def test_changed_document_is_invisible_in_the_generation_before_it(kb: Any) -> None:
    kb.index()
    before = kb.seen(1)
    kb.write("leave.md", TWENTY)
    kb.index()
    assert kb.seen(1) == before
    assert [("twenty" in text, "sixteen" in text) for text in kb.seen(2)] == [(True, False), (False, False)]
    assert counts(kb) == {"documents": 2, "chunks": 2, "opened": 1, "embedded": 1, "changed": 1}


def test_content_that_comes_back_gets_new_rows_and_no_embedding(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", TWENTY)
    kb.index()
    kb.write("leave.md", SIXTEEN)
    kb.index()
    assert counts(kb)["embedded"] == 0
    assert [(row["added_in"], row["removed_in"]) for row in kb.chunks("leave.md")] == [(1, 2), (2, 3), (3, 2147483647)]
    assert kb.seen(3) == kb.seen(1) != kb.seen(2)
    first, second, third = kb.generations()
    assert first["digest"] == third["digest"] != second["digest"]


def test_renamed_document_is_opened_once_for_its_hash_and_embeds_nothing(kb: Any) -> None:
    kb.index()
    kb.move("leave.md", "parental.md")
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "removed", "parental.md": "moved"}
    assert counts(kb) == {"documents": 2, "chunks": 2, "opened": 1, "embedded": 0, "moved": 1, "removed": 1}
    assert [row["doc_id"] for row in kb.chunks("parental.md")] == ["parental.md"]


def test_hash_that_a_stopped_run_has_learnt_of_a_move_is_not_learnt_again(kb: Any) -> None:
    kb.index()
    kb.move("leave.md", "parental.md")
    kb.start()
    kb.index()
    assert counts(kb)["opened"] == 0


def test_settings_put_back_take_the_earlier_rows_back_without_opening_anything(kb: Any) -> None:
    kb.index()
    kb.ingest(chunking={"include_headings": False})
    kb.index()
    assert counts(kb)["opened"] == 2
    kb.ingest(chunking={})
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "taken_back", "travel.md": "taken_back"}
    assert (counts(kb)["opened"], counts(kb)["embedded"]) == (0, 0)
    assert kb.seen(3) == kb.seen(1) != kb.seen(2)


def test_settings_put_back_open_a_document_again_of_which_rows_were_lost(kb: Any) -> None:
    """A deletion that was broken off took the rows, and left the manifest."""
    kb.index()
    kb.ingest(chunking={"chunk_size_tokens": 40, "chunk_overlap_tokens": 5, "min_chunk_tokens": 5})
    kb.index()
    kb.ingest(chunking={})
    kb.lose("leave.md")
    kb.index()
    assert "sixteen" in kb.seen(3)[0]


def test_touched_documents_close_an_empty_generation_and_are_not_opened_again(kb: Any) -> None:
    kb.index()
    kb.touch("leave.md")
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "touched"}
    assert [row["state"] for row in kb.generations()] == ["closed", "empty"]
    assert kb.kind(kb.index()) == "verify"
    assert kb.seen(2) == kb.seen(1)


def test_removals_only(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", None)
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "removed"}
    assert (len(kb.seen(1)), len(kb.seen(2))) == (2, 1)
    assert counts(kb) == {"documents": 1, "chunks": 1, "opened": 0, "embedded": 0, "removed": 1}


def test_generation_after_a_touched_one_is_built_on_it(kb: Any) -> None:
    kb.index()
    kb.touch("leave.md")
    kb.index()
    kb.write("leave.md", TWENTY)
    kb.index()
    assert [(row["added_in"], row["removed_in"]) for row in kb.chunks("leave.md")] == [(1, 3), (3, 2147483647)]


def test_backfill_over_unchanged_documents_opens_its_interval_and_writes_no_rows(kb: Any) -> None:
    """travel.md was written on the second of January, leave.md on the first."""
    kb.index()
    before = kb.chunks()
    second, third = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    run = kb.index(kind="some", forced=True, updated_from=second, updated_until=third)
    assert kb.outcomes(run) == {"travel.md": "unchanged"}
    assert counts(kb)["opened"] == 1
    assert [row["id"] for row in kb.chunks()] == [row["id"] for row in before]
    assert kb.generations()[-1]["state"] == "empty"


def test_backfill_removes_nothing_and_the_next_whole_run_does(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", None)
    run = kb.index(kind="some", forced=True)
    assert kb.outcomes(run) == {"travel.md": "unchanged"}
    assert len(kb.seen(2)) == 2
    kb.index()
    assert len(kb.seen(3)) == 1


def test_backfill_mends_rows_that_differ_from_what_the_document_gives(kb: Any) -> None:
    kb.index()
    kb.add_like("leave.md", text="spoilt")
    run = kb.index(kind="some", forced=True)
    assert kb.outcomes(run) == {"leave.md": "changed", "travel.md": "unchanged"}
    assert kb.seen(1)[0] == "spoilt"
    assert "sixteen" in kb.seen(2)[0]


def test_another_embedder_starts_a_new_collection_and_so_does_the_way_back(kb: Any) -> None:
    for embeddings in ({}, {"dims": 256}, {}):
        kb.ingest(embeddings=embeddings)
        kb.index()
    assert len(set(collection_ids(kb))) == 3
    assert [len(kb.seen(generation)) for generation in (1, 2, 3)] == [2, 2, 2]
    rows = kb.query("SELECT name, dims FROM collections WHERE kb = %s ORDER BY id", kb.name)
    assert [row["dims"] for row in rows] == [384, 256, 384]
    assert rows[0]["name"] != rows[2]["name"]
    assert counts(kb)["embedded"] == 0


def test_another_table_starts_a_new_collection_that_embeds_nothing(kb: Any) -> None:
    kb.index()
    kb.ingest(vector_index={**kb.settings["ingestion"].get("vector_index", {}), "table": "other"})
    kb.index()
    first, second = collection_ids(kb)
    assert first != second
    assert kb.seen(1) == kb.seen(2)
    assert counts(kb)["embedded"] == 0


def test_open_generation_of_an_embedder_that_was_given_up_is_undone(kb: Any) -> None:
    kb.index()
    kb.ingest(embeddings={"dims": 256})
    left = kb.start()
    (batch,) = kb.plan(left)
    index_changes(kb.runtime, left, batch)
    release_turn(kb.runtime, left)
    kb.ingest(embeddings={})
    kb.write("leave.md", TWENTY)
    kb.index()
    first, second = collection_ids(kb)
    assert first == second
    assert [(row["added_in"], "twenty" in row["text"]) for row in kb.chunks("leave.md")] == [(1, False), (2, True)]
    kb.ingest(embeddings={"dims": 256})
    kb.index()
    assert len(kb.seen(3)) == 2


@pytest.mark.parametrize("change", ["edit", "remove", "add"])
def test_open_generation_in_the_old_collection_is_undone_where_the_embedder_changes(kb: Any, change: str) -> None:
    kb.index()
    before = kb.seen(1)
    kb.write("new.md" if change == "add" else "leave.md", None if change == "remove" else TWENTY)
    left = kb.start()
    for batch in kb.plan(left):
        index_changes(kb.runtime, left, batch)
    release_turn(kb.runtime, left)
    kb.ingest(embeddings={"dims": 256})
    kb.index()
    old, new = kb.generations()
    assert old["collection_id"] != new["collection_id"]
    assert kb.seen(1) == before
    in_old = [row for row in kb.chunks() if row["collection_id"] == old["collection_id"]]
    assert {(row["added_in"], row["removed_in"]) for row in in_old} == {(1, 2147483647)}


def test_a_run_that_changed_nothing_says_so(kb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    kb.index()
    run = kb.index()
    assert kb.kind(run) == "verify"
    assert "Nothing to write: generation 1 holds what the run looked at" in capsys.readouterr().out
    kb.touch("leave.md")
    run = kb.index()
    index_changes(kb.runtime, run, 0)
    said = capsys.readouterr().out
    assert "Generation 2 of" in said
    assert "is closed, and nothing changed: it holds what the one before it held" in said
    assert "Nothing to write: generation 2 is written already" in said
