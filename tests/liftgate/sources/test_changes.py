"""Whether documents changed, told by one digest of a listing."""

from __future__ import annotations

import pytest
from small_knowledge_base import SmallKnowledgeBase

from liftgate.config.reading import read_knowledge_base
from liftgate.errors import BrakeApplied
from liftgate.sources.changes import Seen, Settling, look, seen_by_runs
from liftgate.sources.connections import connection_from_environment
from liftgate.sources.listing import list_sources


def now(kb: SmallKnowledgeBase) -> Seen:
    config = read_knowledge_base(kb.file)
    return look(config, connection_from_environment, config.watched_sources)


def last(kb: SmallKnowledgeBase) -> Seen | None:
    with kb.runtime.database.transaction() as connection:
        return seen_by_runs(connection, kb.name, ["documents"])


def test_what_a_run_has_planned_from_is_no_news(kb: SmallKnowledgeBase) -> None:
    assert last(kb) is None
    kb.plan(kb.start())
    assert last(kb) == now(kb)
    assert now(kb).documents == 2


def test_new_changed_gone_and_renamed_documents_are_news(kb: SmallKnowledgeBase) -> None:
    digests = {now(kb).digest}
    kb.write("new.md", "# New\n\nSomething else.\n")
    digests.add(now(kb).digest)
    kb.touch("new.md")
    digests.add(now(kb).digest)
    kb.move("new.md", "renamed.md")
    digests.add(now(kb).digest)
    assert len(digests) == 4
    before = len(digests)
    kb.write("renamed.md", None)
    assert now(kb).digest in digests
    assert len(digests) == before


def test_another_group_is_news_since_it_has_to_be_applied(kb: SmallKnowledgeBase) -> None:
    before = now(kb).digest
    kb.allow_groups({"**": ["board"]}, default=["staff"])
    assert now(kb).digest != before


def test_what_a_brake_stopped_is_still_news(kb: SmallKnowledgeBase) -> None:
    kb.index()
    kb.write_settings(brakes={"max_opened_share": 0})
    kb.write("new.md", "# New\n\nSomething else.\n")
    with pytest.raises(BrakeApplied):
        kb.index()
    assert last(kb) != now(kb)


def test_what_a_run_over_some_documents_left_alone_is_still_news(kb: SmallKnowledgeBase) -> None:
    kb.index()
    kb.write("new.md", "# New\n\nSomething else.\n")
    kb.index(kind="some", include=["leave.md"], forced=True)
    assert last(kb) != now(kb)


def test_a_listing_that_broke_off_is_not_what_was_seen(kb: SmallKnowledgeBase) -> None:
    kb.index()
    seen = last(kb)
    run = kb.freeze()
    kb.documents.rename(kb.folder / "away")
    list_sources(kb.runtime, run)
    assert kb.query("SELECT error FROM listings WHERE kb = %s ORDER BY serial DESC", kb.name)[0]["error"]
    assert last(kb) == seen


def test_news_counts_once_it_has_come_to_rest() -> None:
    settling = Settling("a", settle_seconds=30)
    assert not settling.is_settled("a", 0)
    assert not settling.is_settled("b", 10)
    assert settling.waits
    assert not settling.is_settled("c", 30)
    assert not settling.is_settled("c", 59)
    assert settling.is_settled("c", 60)
    settling.knows("c")
    assert not settling.is_settled("c", 100)
    assert settling.is_settled("b", 101) is False
    assert settling.is_settled("b", 131)


def test_upload_that_is_taken_back_is_no_news() -> None:
    settling = Settling("a", settle_seconds=30)
    assert not settling.is_settled("b", 0)
    assert not settling.is_settled("a", 20)
    assert not settling.waits
    assert not settling.is_settled("b", 40)


def test_source_that_is_never_quiet_counts_in_the_end() -> None:
    settling = Settling("a", settle_seconds=30)
    fired = [second for second in range(0, 400, 10) if settling.is_settled(f"at {second}", second)]
    assert fired[0] == 300


def test_without_a_settle_time_news_counts_at_once() -> None:
    assert Settling(None, settle_seconds=0).is_settled("a", 0)
