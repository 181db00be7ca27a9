"""Brakes stop a run before it touches the index, say what it would do, and let it pass once."""

from __future__ import annotations

from typing import Any

import pytest

from liftgate.errors import BrakeApplied
from liftgate.runs import Allowances

NEW = "# New\n\nSomething new.\n"


@pytest.fixture(autouse=True)
def _four_documents_are_indexed(kb: Any) -> None:
    kb.write("pay.md", "# Pay\n\nPay comes at the end of the month.\n")
    kb.write("food.md", "# Food\n\nLunch is served at noon.\n")
    kb.index()


def brakes(kb: Any, **shares: float) -> None:
    kb.write_settings(brakes=shares)


def stopped(kb: Any, **scope: object) -> str:
    """The brake's message, once it is certain that nothing was touched and that the run remembers why it ended."""
    before = kb.chunks()
    with pytest.raises(BrakeApplied) as brake:
        kb.index(**scope)
    assert len(kb.generations()) == 1
    assert [row["id"] for row in kb.chunks()] == [row["id"] for row in before]
    assert kb.query("SELECT FROM plans WHERE run_id = %s", f"kb_{kb.name}:run-{kb.runs}") == []
    (row,) = kb.query("SELECT stopped_by FROM runs WHERE run_id = %s", f"kb_{kb.name}:run-{kb.runs}")
    assert row["stopped_by"] == str(brake.value)
    return str(brake.value)


def test_more_removals_than_the_share_stop_the_run_until_they_are_allowed(kb: Any) -> None:
    brakes(kb, max_removed_share=0.25)
    kb.write("leave.md", None)
    kb.write("travel.md", None)
    message = stopped(kb)
    assert "Expected at most 1 documents to remove from the index, found 2." in message
    assert "run again with the param allow_removals_up_to: 2." in message
    kb.index(Allowances(removals=2))
    assert len(kb.seen(2)) == 2


def test_as_many_removals_as_the_share_pass(kb: Any) -> None:
    brakes(kb, max_removed_share=0.25)
    kb.write("leave.md", None)
    kb.index()
    assert len(kb.generations()) == 2


def test_allowance_holds_only_up_to_its_number(kb: Any) -> None:
    brakes(kb, max_removed_share=0)
    kb.write("leave.md", None)
    kb.write("travel.md", None)
    with pytest.raises(BrakeApplied, match="Expected at most 1 documents to remove"):
        kb.index(Allowances(removals=1))


def test_more_documents_to_open_than_the_share_stop_the_run_with_tokens_and_price(kb: Any) -> None:
    brakes(kb, max_opened_share=0.25, price_per_million_tokens=100_000)
    kb.write("leave.md", NEW)
    kb.write("new.md", NEW * 400)
    message = stopped(kb)
    assert "Expected at most 1 documents to open and embed, found 2." in message
    assert "allow_opened_up_to: 2" in message
    tokens = kb.chunks("leave.md")[0]["tokens"] + len(NEW) * 400 // 4
    assert f"open 2 documents and embed about {tokens:,} tokens, {tokens / 10:.2f} at the configured price" in message
    kb.index(Allowances(opened=2))
    assert len(kb.generations()) == 2


def test_number_of_documents_to_open_is_limited_beside_their_share(kb: Any) -> None:
    brakes(kb, max_opened_share=1, max_opened_documents=1)
    kb.write("leave.md", NEW)
    kb.write("travel.md", NEW)
    assert "at most 1 documents to open" in stopped(kb)


def test_other_chunks_of_everything_stop_the_run(kb: Any) -> None:
    brakes(kb, max_opened_share=0.5)
    kb.ingest(chunking={"chunk_size_tokens": 100})
    assert "found 4" in stopped(kb)


def test_move_is_neither_opened_nor_priced_again_but_counts_as_a_removal(kb: Any) -> None:
    brakes(kb, max_opened_share=0, max_removed_share=0)
    kb.move("leave.md", "parental.md")
    message = stopped(kb)
    assert "to remove from the index, found 1" in message
    assert "to open and embed, found" not in message
    assert "would open 0 documents and embed about 0 tokens." in message


def test_every_brake_that_holds_is_told_at_once(kb: Any) -> None:
    brakes(kb, max_removed_share=0, max_opened_share=0, max_widened_share=0)
    kb.write("leave.md", None)
    kb.write("new.md", NEW)
    kb.allow_groups({"pay.md": ["staff", "guests"]}, default=["staff"])
    message = stopped(kb)
    for name in ("removals", "widenings", "opened"):
        assert f"allow_{name}_up_to: 1" in message


def test_empty_listing_stops_the_run_whatever_is_allowed(kb: Any) -> None:
    for path in kb.documents.iterdir():
        path.unlink()
    message = stopped(kb, allow=Allowances(removals=100, opened=100, widenings=100))
    assert "Expected the sources to list documents, found none while 4 are indexed." in message


def test_one_source_of_several_that_lists_nothing_stops_the_run_until_that_is_allowed(kb: Any) -> None:
    (kb.folder / "more").mkdir()
    (kb.folder / "more" / "law.md").write_text(NEW)
    first = {"type": "folder", "path": "../documents"}
    more = {"type": "folder", "path": "../more", "name": "more", "doc_id_prefix": "more."}
    kb.write_settings(ingestion={"sources": [first, more]})
    kb.index()
    (kb.folder / "more" / "law.md").unlink()
    with pytest.raises(BrakeApplied, match="Expected source more to list documents, .* allow_removals_up_to: 1"):
        kb.index()
    assert len(kb.chunks("law.md")) == 1
    assert len(kb.generations()) == 2
    kb.index(Allowances(removals=1))
    assert len(kb.seen(3)) == 4


def test_first_run_may_open_everything_and_find_nothing(kb: Any) -> None:
    kb.name += "_b"
    kb.write_settings(name=kb.name, brakes={"max_opened_share": 0, "max_opened_documents": 0})
    kb.index()
    assert len(kb.chunks()) == 4
    kb.name += "_c"
    kb.write_settings(name=kb.name)
    for path in kb.documents.iterdir():
        path.unlink()
    kb.index()
    assert [row["state"] for row in kb.generations()] == ["empty"]
