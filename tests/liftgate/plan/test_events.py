"""Runs that events start, of sources whose events name the documents."""

from __future__ import annotations

from typing import Any

import pytest
from small_knowledge_base import SmallKnowledgeBase

from liftgate.access import apply_access
from liftgate.errors import BrakeApplied
from liftgate.runs import Run, Scope
from liftgate.sources.listing import list_sources


@pytest.fixture
def told(kb: SmallKnowledgeBase) -> SmallKnowledgeBase:
    """A knowledge base whose source leaves it to events to say what changed, indexed once."""
    kb.ingest(source={**kb.settings["ingestion"]["source"], "list_on_event": False})
    kb.index()
    return kb


def event(kb: SmallKnowledgeBase, *uris: str, source: str = "") -> Run:
    return kb.index(kind="some", named=[(source, uri) for uri in uris])


def change_both_and_add(kb: SmallKnowledgeBase) -> None:
    kb.write("leave.md", "# Leave\n\nParents receive twenty weeks.\n")
    kb.write("travel.md", "# Travel\n\nTrains are booked in first class.\n")
    kb.write("new.md", "# New\n\nSomething else.\n")


def test_only_named_documents_are_opened(told: SmallKnowledgeBase) -> None:
    change_both_and_add(told)
    assert told.outcomes(event(told, "leave.md", "new.md")) == {"leave.md": "changed", "new.md": "new"}
    assert told.outcomes(told.index()) == {"travel.md": "changed"}


def test_only_named_documents_are_removed_and_only_if_they_are_gone(told: SmallKnowledgeBase) -> None:
    told.write("leave.md", None)
    told.write("new.md", "# New\n\nSomething else.\n")
    assert told.outcomes(event(told, "new.md", "travel.md")) == {"new.md": "new"}
    assert told.outcomes(event(told, "leave.md")) == {"leave.md": "removed"}
    assert {row["uri"] for row in told.chunks() if row["removed_in"] > 3} == {"new.md", "travel.md"}


def test_event_about_what_is_as_it_was_has_nothing_to_do(told: SmallKnowledgeBase, promoted: Any) -> None:
    promoted(told.runtime, told.name, told.propose())
    run = event(told, "travel.md", "nobody knows.md")
    assert told.kind(run) == "nothing"
    assert told.reason(run) == "no document that events name differs from what is indexed."


def test_brakes_hold_events_too(told: SmallKnowledgeBase) -> None:
    told.write_settings(brakes={"max_removed_share": 0.1, "max_opened_share": 1})
    told.write("leave.md", None)
    with pytest.raises(BrakeApplied, match="allow_removals_up_to: 1"):
        event(told, "leave.md")


@pytest.mark.parametrize("source", ["documents", "no such source"])
def test_event_of_any_other_source_makes_the_run_look_at_everything(kb: SmallKnowledgeBase, source: str) -> None:
    kb.index()
    change_both_and_add(kb)
    run = event(kb, "leave.md", source=source)
    assert (run.scope, set(kb.outcomes(run))) == (Scope(), {"leave.md", "new.md", "travel.md"})


def listed(kb: SmallKnowledgeBase, run: Run) -> dict[str, bool]:
    """The documents of a run's listing, and whether they were carried over from the one before."""
    statement = "SELECT d.uri, d.carried FROM listed_documents d JOIN listings USING (serial) WHERE run_id = %s"
    return {row["uri"]: row["carried"] for row in kb.query(statement, run.run_id)}


def test_what_no_event_names_is_not_looked_at(told: SmallKnowledgeBase) -> None:
    change_both_and_add(told)
    assert listed(told, event(told, "leave.md")) == {"leave.md": False, "travel.md": True}


def test_first_run_lists_everything_whatever_started_it(kb: SmallKnowledgeBase) -> None:
    kb.ingest(source={**kb.settings["ingestion"]["source"], "list_on_event": False})
    run = event(kb, "leave.md")
    assert listed(kb, run) == {"leave.md": False, "travel.md": False}
    assert set(kb.outcomes(run)) == {"leave.md"}


def test_access_of_what_is_not_looked_at_stays_as_the_newest_listing_found_it(told: SmallKnowledgeBase) -> None:
    late = told.freeze(kind="some", named=[("documents", "leave.md")])
    list_sources(told.runtime, late)
    told.allow_groups({"travel.md": ["board"]}, default=["staff"])
    told.start()
    assert told.groups("travel.md") == [["board"]]
    event(told, "leave.md")
    apply_access(told.runtime, late)
    assert told.groups("travel.md") == [["board"]]


@pytest.mark.parametrize("ending", [".access.yaml", ".ACCESS.yml"])
def test_named_document_is_looked_at_with_what_says_who_may_read_it(told: SmallKnowledgeBase, ending: str) -> None:
    told.write_settings(access={"groups_from": ["sidecar"], "default_groups": ["staff"]})
    told.index()
    told.write(f"leave.md{ending}", "groups: [board]")
    told.write("travel.md.access.yaml", "groups: [board]")
    event(told, f"leave.md{ending}")
    assert (told.groups("leave.md"), told.groups("travel.md")) == ([["board"]], [["staff"]])
