"""Access is never versioned: what was revoked is revoked at once, in every generation, whatever else happens."""

from __future__ import annotations

import os
from typing import Any

import pytest

from liftgate.access import apply_access, apply_pending
from liftgate.database import queries
from liftgate.errors import BrakeApplied
from liftgate.indexing import close_generation, index_changes
from liftgate.runs import Allowances
from liftgate.sources.listing import list_sources
from liftgate.turns import take_turn

pytestmark = pytest.mark.parametrize("provider", ["pgvector", "weaviate"], indirect=True)
BOTH = ["board", "staff"]
MIDNIGHT = 1_767_225_600
"""When leave.md was written."""
LEAVE = "# Leave\n\nParents receive twenty weeks of paid leave.\n"


@pytest.fixture(autouse=True)
def _everybody_may_read(kb: Any) -> None:
    kb.allow_groups({"secret/**": ["board"]}, default=BOTH)


def listing_of(kb: Any, run: Any) -> dict[str, Any]:
    with kb.runtime.database.transaction() as connection:
        found: dict[str, Any] = queries().newest_listing(connection, kb=kb.name, run_id=run.run_id)
        return found


def test_revocation_reaches_every_generation_at_once_while_another_run_holds_the_turn(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", LEAVE)
    kb.index()
    take_turn(kb.runtime, kb.freeze())
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    kb.start()
    assert kb.groups("leave.md") == [["board"], ["board"]]
    assert kb.groups("travel.md") == [BOTH]


def test_revocation_reaches_the_collection_of_an_earlier_embedder(kb: Any) -> None:
    kb.index()
    kb.ingest(embeddings={"dims": 256})
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    kb.start()
    assert kb.groups("leave.md") == [["board"], ["board"]]


def test_widening_gives_the_listed_version_its_groups_and_older_versions_nothing(kb: Any) -> None:
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    kb.index()
    kb.write("leave.md", LEAVE)
    kb.index()
    kb.allow_groups({}, default=BOTH)
    kb.start()
    assert kb.groups("leave.md") == [["board"], BOTH]


def test_narrowing_then_widening_with_a_new_version_leaves_the_old_version_narrow(kb: Any) -> None:
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    kb.start()
    assert kb.groups("leave.md") == [["board"]]
    kb.allow_groups({}, default=BOTH)
    kb.write("leave.md", LEAVE)
    run = kb.start()
    assert kb.groups("leave.md") == [["board"]]
    kb.finish(run, kb.plan(run))
    assert kb.groups("leave.md") == [["board"], BOTH]


def test_document_only_touched_and_widened_is_widened_once_its_content_is_known(kb: Any) -> None:
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    kb.index()
    kb.allow_groups({}, default=BOTH)
    kb.touch("leave.md")
    run = kb.start()
    assert kb.groups("leave.md") == [["board"]]
    kb.finish(run, kb.plan(run))
    assert kb.outcomes(run) == {"leave.md": "touched"}
    assert kb.groups("leave.md") == [BOTH]
    assert kb.generations()[-1]["state"] == "empty"


def test_revocation_holds_for_batches_that_another_run_writes_after_it(kb: Any) -> None:
    kb.write_settings(indexing={"batch_documents": 1})
    run = kb.start()
    first, second = kb.plan(run)
    index_changes(kb.runtime, run, first)
    kb.allow_groups({}, default=["board"])
    kb.start()
    assert kb.groups("leave.md") == [["board"]]
    index_changes(kb.runtime, run, second)
    assert kb.groups("travel.md") == [["board"]]
    close_generation(kb.runtime, run)


def test_writer_of_another_version_than_the_listed_one_writes_what_both_allow(kb: Any) -> None:
    """A newer listing, of a version that this run never saw, took a group away and gave another one."""
    run = kb.start()
    (batch,) = kb.plan(run)
    content = (kb.documents / "leave.md").read_bytes()
    kb.allow_groups({}, default=["board", "guests"])
    kb.write("leave.md", LEAVE)
    kb.start()
    kb.write("leave.md", content)
    os.utime(kb.documents / "leave.md", (MIDNIGHT, MIDNIGHT))
    index_changes(kb.runtime, run, batch)
    assert kb.outcomes(run)["leave.md"] == "new"
    assert kb.groups("leave.md") == [["board"]]


def test_document_that_changed_since_it_was_listed_waits_for_the_next_run(kb: Any) -> None:
    run = kb.start()
    batches = kb.plan(run)
    kb.write("leave.md", LEAVE)
    kb.finish(run, batches)
    assert kb.outcomes(run)["leave.md"] == "quarantined"
    assert kb.groups("leave.md") == []
    kb.index()
    assert kb.groups("leave.md") == [BOTH]
    assert kb.query("SELECT FROM quarantine WHERE kb = %s", kb.name) == []


def test_listing_that_started_before_a_newer_one_changes_nothing(kb: Any) -> None:
    kb.index()
    late = kb.freeze()
    list_sources(kb.runtime, late)
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    kb.start()
    apply_access(kb.runtime, late)
    assert kb.groups("leave.md") == [["board"]]
    kb.write("leave.md", LEAVE)
    kb.index()
    assert kb.groups("leave.md") == [["board"], ["board"]]


@pytest.mark.parametrize("again", ["the same run", "any run"])
def test_access_killed_between_table_and_rows_is_worked_off_by_whoever_comes_next(kb: Any, again: str) -> None:
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    run = kb.freeze()
    serial = list_sources(kb.runtime, run)
    with kb.runtime.database.transaction() as connection:
        queries().store_access(connection, kb=kb.name, serial=serial, capped=False)
    assert kb.groups("leave.md") == [BOTH]
    if again == "the same run":
        apply_access(kb.runtime, run)
    else:
        assert apply_pending(kb.runtime, kb.name) == 1
    assert kb.groups("leave.md") == [["board"]]
    assert apply_pending(kb.runtime, kb.name) == 0


def test_closing_applies_what_was_stored_but_not_applied_while_the_run_wrote(kb: Any) -> None:
    run = kb.start()
    batches = kb.plan(run)
    for batch in batches:
        index_changes(kb.runtime, run, batch)
    kb.allow_groups({}, default=["board"])
    other = kb.freeze()
    serial = list_sources(kb.runtime, other)
    with kb.runtime.database.transaction() as connection:
        queries().store_access(connection, kb=kb.name, serial=serial, capped=False)
    close_generation(kb.runtime, run)
    assert kb.groups("leave.md") == [["board"]]


def test_move_into_a_restricted_folder_narrows_what_it_left_although_a_brake_stops_the_plan(kb: Any) -> None:
    kb.index()
    kb.write_settings(brakes={"max_removed_share": 0})
    kb.move("leave.md", "secret/leave.md")
    run = kb.start()
    assert kb.groups("leave.md") == [["board"]]
    with pytest.raises(BrakeApplied, match="documents to remove"):
        kb.plan(run)
    assert kb.groups("leave.md") == [["board"]]
    assert kb.groups("secret/leave.md") == []


def test_move_is_seen_although_another_new_document_has_the_same_size(kb: Any) -> None:
    kb.index()
    kb.write("twin.md", "# Leave\n\nParents receive fifteen weeks of paid leave.\n")
    kb.move("leave.md", "secret/leave.md")
    kb.start()
    assert kb.groups("leave.md") == [["board"]]


def test_copy_into_a_restricted_folder_narrows_nothing(kb: Any) -> None:
    kb.index()
    kb.write("secret/leave.md", (kb.documents / "leave.md").read_bytes())
    kb.index()
    assert kb.groups("leave.md") == [BOTH]
    assert kb.groups("secret/leave.md") == [["board"]]


def test_move_out_of_a_restricted_folder_opens_nothing_that_was_left(kb: Any) -> None:
    kb.write("secret/plan.md", "# Plan\n\nThe plan.\n")
    kb.index()
    kb.move("secret/plan.md", "plan.md")
    kb.index()
    assert kb.groups("secret/plan.md") == [["board"]]
    assert kb.groups("plan.md") == [BOTH]


def widen_all_but_one(kb: Any) -> None:
    """Two documents become readable by more groups, one by fewer."""
    kb.write("pay.md", "# Pay\n\nPay comes at the end of the month.\n")
    kb.allow_groups({"pay.md": BOTH}, default=["board"])
    kb.index()
    kb.write_settings(brakes={"max_widened_share": 0.5})
    kb.allow_groups({"pay.md": ["staff"]}, default=BOTH)


def test_widening_over_the_share_narrows_only_and_stops_every_plan_until_it_is_allowed(kb: Any) -> None:
    widen_all_but_one(kb)
    for _ in range(2):
        run = kb.start()
        assert listing_of(kb, run)["widening_capped"]
        assert [kb.groups(uri) for uri in ("leave.md", "pay.md")] == [[["board"]], [["staff"]]]
        with pytest.raises(BrakeApplied, match=r"found 2\. .* allow_widenings_up_to: 2"):
            kb.index()
    assert len(kb.generations()) == 1


def test_widening_over_the_share_can_be_allowed_once(kb: Any) -> None:
    widen_all_but_one(kb)
    kb.index(Allowances(widenings=2))
    assert [kb.groups(uri) for uri in ("leave.md", "pay.md")] == [[BOTH], [["staff"]]]
    kb.allow_groups({}, default=["board", "guests", "staff"])
    with pytest.raises(BrakeApplied, match="allow_widenings_up_to"):
        kb.index()


def test_listing_that_broke_off_narrows_what_it_listed_widens_nothing_and_stops_the_plan(kb: Any) -> None:
    (kb.folder / "more").mkdir()
    first = {"type": "folder", "path": "../documents"}
    second = {"type": "folder", "path": "../more", "name": "more", "doc_id_prefix": "more."}
    kb.write_settings(ingestion={"sources": [first, second]})
    (kb.folder / "more" / "pay.md").write_text("# Pay\n\nPay comes at the end of the month.\n")
    kb.allow_groups({"travel.md": ["board"]}, default=BOTH)
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    run = kb.freeze(Allowances(removals=10, widenings=10, opened=10))
    (kb.folder / "more" / "pay.md").unlink()
    (kb.folder / "more").rmdir()
    list_sources(kb.runtime, run)
    apply_access(kb.runtime, run)
    assert [kb.groups(uri) for uri in ("leave.md", "travel.md", "pay.md")] == [[["board"]], [["board"]], [BOTH]]
    with pytest.raises(BrakeApplied, match="broke off.*No such file.*clear list_sources"):
        kb.plan(run)
    assert len(kb.generations()) == 1


def test_document_without_groups_follows_the_explicit_default(kb: Any) -> None:
    kb.allow_groups({"leave.md": ["board"]}, default=[])
    kb.index()
    assert kb.groups("leave.md") == [["board"]]
    assert kb.groups("travel.md") == [[]]


def test_only_access_changed_makes_no_generation(kb: Any) -> None:
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=BOTH)
    run = kb.index()
    assert kb.kind(run) == "verify"
    assert kb.groups("leave.md") == [["board"]]
    assert len(kb.generations()) == 1
