from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liftgate.errors import BrakeApplied, SourceError
from liftgate.indexing import read_attempts
from liftgate.news import news_of_staleness
from liftgate.releases.outcomes import notify
from liftgate.releases.rollback import resume
from liftgate.releases.standing import behind_since
from liftgate.sources.kinds.folder import FolderReader
from liftgate.turns import release_turn


def reason(judged: Any) -> str:
    """Why the newest plan has nothing to do."""
    found: str = judged.query("SELECT counts ->> 'reason' AS r FROM plans ORDER BY id DESC LIMIT 1")[0]["r"]
    return found


def behind(kb: Any) -> Any:
    with kb.runtime.database.transaction() as connection:
        return behind_since(connection, kb.name)


def stopped(kb: Any, **scope: Any) -> datetime:
    """When a run began that ended at a brake."""
    with pytest.raises(BrakeApplied):
        kb.index(**scope)
    began: datetime = kb.query("SELECT max(frozen_at) AS at FROM runs WHERE kb = %s", kb.name)[0]["at"]
    return began


def test_nothing_to_do_while_live_holds_what_the_sources_hold(judged: Any) -> None:
    assert judged.whole_run() == (0, "nothing")
    assert reason(judged) == "live is release 1, which holds what the sources hold."


def test_rejected_candidate_is_left_alone_until_evidence_is_added(judged: Any) -> None:
    judged.retrieve_by(min_score=0.99)
    assert judged.whole_run() == (2, "reject")
    assert judged.whole_run() == (0, "nothing")
    assert reason(judged) == "release 2 was judged reject, and nothing has changed since."
    judged.ask_more()
    generations = judged.count("generations")
    run = judged.index()
    assert judged.kind(run) == "verify"
    assert judged.end(*judged.judge(run)) == "reject"
    assert judged.count("generations") == generations


def test_inconclusive_candidate_is_judged_again_without_indexing_when_questions_are_added(judged: Any) -> None:
    questions = judged.questions
    judged.questions = questions[:20]
    judged.write_questions()
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (2, "hold")
    assert judged.whole_run() == (0, "nothing")
    assert reason(judged) == "release 2 was judged inconclusive, and nothing has changed since."
    judged.questions = questions
    judged.write_questions()
    chunks = judged.chunks()
    run = judged.index()
    assert judged.kind(run) == "verify"
    _, candidate = judged.judge(run)
    assert (candidate, judged.end(run, candidate), judged.live()) == (2, "promote", 2)
    assert len(judged.chunks()) == len(chunks)


def test_changed_gate_and_changed_access_are_reasons_to_judge_again(judged: Any) -> None:
    judged.retrieve_by(min_score=0.99)
    assert judged.whole_run() == (2, "reject")
    judged.write_settings(gate={"floors": {"recall": 0.6}})
    assert judged.whole_run()[1] == "reject"
    judged.allow_groups({"secret/**": ["board"], "desk-0.md": ["staff", "guests"]}, default=["staff"])
    assert judged.whole_run()[1] == "reject"
    assert judged.count("verdicts") == 4


def test_forced_run_goes_on_where_there_is_nothing_to_do(judged: Any) -> None:
    assert judged.kind(judged.index(forced=True)) == "index"


def test_held_candidate_is_left_alone_while_the_hold_stands(judged: Any) -> None:
    judged.hold("a drill")
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (2, "hold")
    assert judged.whole_run() == (0, "nothing")
    assert reason(judged).endswith("a drill")
    resume(judged.runtime, "small", by="ada", run_id="resume")
    assert judged.whole_run() == (2, "promote")


def test_verdict_under_todays_conditions_decides_and_not_the_one_that_was_formed_last(judged: Any) -> None:
    """A bad edit of the questions rejects a candidate; taken back, the verdict from before holds again."""
    judged.hold("a drill")
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (2, "hold")
    good, judged.questions = judged.questions, judged.questions[:20]
    judged.write_questions()
    assert judged.whole_run() == (2, "hold")
    judged.questions = good
    judged.write_questions()
    resume(judged.runtime, "small", by="ada", run_id="resume")
    assert judged.whole_run() == (2, "promote")
    assert judged.count("verdicts") == 3
    assert judged.whole_run() == (0, "nothing")


def test_live_is_behind_its_sources_since_the_generation_that_was_not_promoted(judged: Any) -> None:
    assert behind(judged) is None
    judged.hold()
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    run, candidate = judged.judge()
    judged.end(run, candidate)
    closed = judged.generations()[-1]["closed_at"]
    assert behind(judged) == closed
    assert f"{closed:%Y-%m-%d %H:%M:%S}" in notify(judged.runtime, run, candidate)
    judged.write("desk-1.md", judged.text(1, "On Mondays."))
    judged.index()
    assert behind(judged) == closed
    for number in (0, 1):
        judged.write(f"desk-{number}.md", judged.text(number))
    judged.index()
    assert behind(judged) is None


def test_live_is_behind_since_the_first_run_that_a_brake_stopped(kb: Any, promoted: Any, capsys: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write_settings(brakes={"max_opened_share": 0.1})
    kb.write("leave.md", "# Leave\n\nTwelve weeks.\n")
    first = stopped(kb)
    stopped(kb)
    assert behind(kb) == first
    (news,) = news_of_staleness(kb.runtime, kb.freeze(), datetime.now(UTC) + timedelta(days=7))
    assert "every run was stopped by a brake" in news.text
    kb.index(kind="some", include=("travel.md",))
    assert f"Live has been behind its sources since {first:%Y-%m-%d %H:%M:%S}." in capsys.readouterr().out


def test_live_is_behind_since_the_first_run_that_could_not_list(kb: Any, promoted: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    good = kb.settings["ingestion"]["source"]
    kb.ingest(source={"type": "git", "name": "documents", "url": str(kb.folder / "no-such-repository")})
    first = stopped(kb)
    kb.freeze()
    assert behind(kb) == first
    kb.ingest(source=good)
    kb.index()
    assert behind(kb) is None


def test_live_is_behind_since_the_first_run_that_planned_and_never_closed(kb: Any, promoted: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write("new.md", "# New\n\nSomething else.\n")
    began = []
    for _ in range(2):
        run = kb.start()
        kb.plan(run)
        release_turn(kb.runtime, run)
        began += kb.query("SELECT frozen_at FROM runs WHERE run_id = %s", run.run_id)
    assert behind(kb) == began[0]["frozen_at"]
    promoted(kb.runtime, kb.name, kb.propose())
    assert behind(kb) is None


def test_run_over_some_documents_that_was_stopped_says_nothing_of_live(kb: Any, promoted: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write_settings(brakes={"max_opened_share": 0.1})
    kb.write("leave.md", "# Leave\n\nTwelve weeks.\n")
    stopped(kb, kind="some", include=("leave.md",))
    assert behind(kb) is None


def test_source_that_gave_nothing_does_not_count_as_looked_at(
    kb: Any, promoted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(reader: FolderReader, uri: str, version_hint: str) -> bytes:
        raise SourceError("403: this key may list, and not read")

    promoted(kb.runtime, kb.name, kb.propose())
    for number in range(3):
        kb.write(f"new-{number}.md", f"# New {number}")
    monkeypatch.setattr(read_attempts, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(FolderReader, "read", refuse)
    first = stopped(kb)
    stopped(kb)
    assert behind(kb) == first
