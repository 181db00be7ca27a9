"""What is worth telling of a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from canaries import started
from small_knowledge_base import SmallKnowledgeBase

from liftgate.indexing.index_changes import index_changes, name_of_batch
from liftgate.news import Figures, News, figures, news_of_ledger, news_of_quarantine, news_of_staleness
from liftgate.plan import plan_changes
from liftgate.releases.canary_steps import end_canary
from liftgate.releases.ledger import lock_ledger, record
from liftgate.sources.listing import list_sources


def end(kb: SmallKnowledgeBase, release: int, kind: str, why: str) -> None:
    with kb.runtime.database.transaction() as connection:
        lock_ledger(connection, kb.name)
        record(connection, kb.name, kind, by="test", run_id=f"test-{kind}", release=release, why=why)


def test_what_becomes_of_a_candidate_is_told_once_with_the_sentence_that_decided(kb: SmallKnowledgeBase) -> None:
    candidate = kb.propose()
    assert news_of_ledger(kb.runtime, kb.name) == []
    end(kb, candidate, "held", "too few questions")
    (news,) = news_of_ledger(kb.runtime, kb.name)
    assert news == News("held", kb.name, "test-held", f"Release 1 of {kb.name} is held", "too few questions")
    end(kb, candidate, "rejected", "recall is worse")
    end(kb, candidate, "promoted", "measured lift")
    found = news_of_ledger(kb.runtime, kb.name)
    assert [(one.occasion, one.text) for one in found] == [
        ("rejected", "recall is worse"),
        ("promoted", "By test: measured lift."),
    ]
    assert news_of_ledger(kb.runtime, kb.name) == []


def test_beginning_and_end_of_a_canary_are_told_with_its_settings_and_its_judgement(judged: Any) -> None:
    run, candidate = started(judged)
    news = news_of_ledger(judged.runtime, judged.name)[-1]
    assert (news.occasion, news.title) == ("canary", f"Some readers of {judged.name} get release {candidate}")
    assert "50 % of readers" in news.text
    assert end_canary(judged.runtime, judged.name, candidate, by="ada", run_id=run.run_id, why="odd answers")
    assert [(news.occasion, news.text) for news in news_of_ledger(judged.runtime, judged.name)] == [
        ("canary", "Failed: ended by ada: odd answers."),
        ("rejected", "canary: Failed: ended by ada: odd answers."),
    ]


def test_of_one_event_and_many_who_could_tell_it_one_does(kb: SmallKnowledgeBase) -> None:
    end(kb, kb.propose(), "rejected", "recall is worse")
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda _: news_of_ledger(kb.runtime, kb.name), range(4)))
    assert sorted(map(len, told)) == [0, 0, 0, 1]


def test_document_that_cannot_be_read_is_told_once(kb: SmallKnowledgeBase) -> None:
    kb.write("broken.md", b"\xff\xfe\x00")
    kb.write("broken.pdf", b"no pdf")
    (news,) = news_of_quarantine(kb.runtime, kb.index())
    assert (news.occasion, news.title) == ("quarantined", f"2 document(s) of {kb.name} could not be read")
    assert news.text.startswith("broken.md: ")
    kb.write("new.md", "# New\n\nSomething else.\n")
    again = kb.index()
    assert list(news_of_quarantine(kb.runtime, again)) == []


def test_document_that_a_run_told_of_is_not_told_again_where_the_run_is_cleared(kb: SmallKnowledgeBase) -> None:
    kb.write("broken.md", b"\xff\xfe\x00")
    run = kb.start()
    for batch in kb.plan(run):
        index_changes(kb.runtime, run, batch)
    assert len(list(news_of_quarantine(kb.runtime, run))) == 1
    kb.write("worse.pdf", b"no pdf")
    list_sources(kb.runtime, run)
    kb.finish(run, plan_changes(kb.runtime, run))
    (news,) = news_of_quarantine(kb.runtime, run)
    assert news.text.startswith("worse.pdf: ")
    assert "broken.md" not in news.text
    assert list(news_of_quarantine(kb.runtime, run)) == []


def test_live_that_is_behind_for_too_long_is_stale(kb: SmallKnowledgeBase, promoted: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    assert list(news_of_staleness(kb.runtime, kb.freeze())) == []
    kb.write("new.md", "# New\n\nSomething else.\n")
    run = kb.index()
    assert list(news_of_staleness(kb.runtime, run)) == []
    (news,) = news_of_staleness(kb.runtime, run, datetime.now(UTC) + timedelta(hours=24, seconds=1))
    assert news.occasion == "stale"


def test_figures_are_those_of_the_run_and_of_what_is_live(kb: SmallKnowledgeBase, promoted: Any) -> None:
    first = kb.index()
    assert figures(kb.runtime, first) == Figures(2, 2, 0, 0.0)
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write("new.md", "# New\n\nSomething else.\n")
    found = figures(kb.runtime, kb.index())
    assert (found.documents_opened, found.chunks_embedded) == (1, 1)
    assert found.seconds_behind > 0
    assert figures(kb.runtime, kb.freeze()).documents_opened == 0


def test_batch_has_a_name_that_says_what_is_in_it(kb: SmallKnowledgeBase) -> None:
    kb.write("more.md", "# More\n\nA third document.\n")
    kb.write_settings(indexing={"batch_documents": 2})
    run = kb.start()
    assert kb.plan(run) == [0, 1]
    names = [name_of_batch(kb.runtime, run, batch) for batch in (0, 1, 2)]
    assert names == ["1-2 of 3: leave.md ...", "3-3 of 3: travel.md", "nothing to write"]
