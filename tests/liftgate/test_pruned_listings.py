"""Housekeeping deletes what older listings held; nobody who still reads a listing finds it empty."""

from __future__ import annotations

import pytest
from small_knowledge_base import SmallKnowledgeBase

from liftgate import housekeeping
from liftgate.access import apply_access
from liftgate.errors import BrakeApplied
from liftgate.sources.changes import look, seen_by_runs
from liftgate.sources.listing import list_sources
from liftgate.turns import release_turn


def held(kb: SmallKnowledgeBase) -> list[int]:
    """How many documents and sidecars each listing holds, oldest first."""
    statement = (
        "SELECT (SELECT count(*) FROM listed_documents d WHERE d.serial = l.serial)"
        " + (SELECT count(*) FROM listed_sidecars s WHERE s.serial = l.serial) AS held"
        " FROM listings l WHERE kb = %s ORDER BY serial"
    )
    return [row["held"] for row in kb.query(statement, kb.name)]


def prune(kb: SmallKnowledgeBase) -> int:
    return housekeeping.prune(kb.runtime, kb.freeze())["listed"]


def test_only_the_newest_of_many_listings_keeps_its_documents(kb: SmallKnowledgeBase) -> None:
    kb.write_settings(access={"groups_from": ["sidecar"], "default_groups": ["staff"]})
    kb.write("leave.md.access.yaml", "groups: [hr]")
    for _ in range(4):
        kb.index()
    assert prune(kb) == 6
    assert held(kb) == [0, 0, 0, 3]
    assert prune(kb) == 0


def test_what_a_listing_learnt_of_a_version_outlives_it(kb: SmallKnowledgeBase) -> None:
    kb.index()
    kb.move("leave.md", "parents.md")
    kb.start()
    for _ in range(2):
        kb.start()
        prune(kb)
    known = "SELECT version FROM listed_documents JOIN listings USING (serial) WHERE kb = %s AND uri = %s"
    (row,) = kb.query(known, kb.name, "parents.md")
    assert row["version"] is not None


def test_listing_that_broke_off_takes_no_whole_one_with_it(kb: SmallKnowledgeBase) -> None:
    kb.index()
    broken = kb.freeze()
    kb.documents.rename(kb.folder / "away")
    list_sources(kb.runtime, broken)
    (kb.folder / "away").rename(kb.documents)
    prune(kb)
    assert held(kb) == [2, 0]


def test_run_whose_events_name_documents_still_finds_all_others(kb: SmallKnowledgeBase) -> None:
    kb.ingest(source={**kb.settings["ingestion"]["source"], "list_on_event": False})
    kb.index()
    for _ in range(2):
        kb.index(kind="some", named=[("", "leave.md")])
        prune(kb)
    assert held(kb) == [2, 0, 2]
    assert kb.outcomes(kb.index(kind="some", named=[("", "travel.md")], forced=True)) == {"travel.md": "unchanged"}


def test_sensor_still_compares_with_what_was_planned_from(kb: SmallKnowledgeBase) -> None:
    kb.index()
    kb.write_settings(brakes={"max_removed_share": 0})
    kb.write("leave.md", None)
    with pytest.raises(BrakeApplied):
        kb.index()
    prune(kb)
    with kb.runtime.database.transaction() as connection:
        seen = seen_by_runs(connection, kb.name, ["documents"])
    assert seen is not None
    assert seen.documents == 2
    assert look(kb.freeze().config, kb.runtime.connections, ["documents"]).documents == 1


def test_plan_that_is_being_carried_out_keeps_its_listing(kb: SmallKnowledgeBase) -> None:
    run = kb.start()
    batches = kb.plan(run)
    release_turn(kb.runtime, run)
    kb.start()
    assert prune(kb) == 0
    kb.plan(run)
    kb.finish(run, batches)
    assert set(kb.outcomes(run).values()) == {"new"}


def test_run_whose_listing_was_emptied_before_its_turn_lists_again(kb: SmallKnowledgeBase) -> None:
    kb.index()
    slow = kb.freeze()
    list_sources(kb.runtime, slow)
    kb.start()
    assert prune(kb) == 2
    apply_access(kb.runtime, slow)
    kb.plan(slow)
    release_turn(kb.runtime, slow)
    assert kb.groups("leave.md") == [["staff"]]
    assert kb.kind(slow) == "verify"
    assert held(kb) == [2, 0, 2, 2]
