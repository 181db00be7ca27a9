from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from liftgate import housekeeping
from liftgate.errors import PromotionRefused
from liftgate.releases import outcomes, promotion
from liftgate.releases.promotion import decide, override
from liftgate.releases.rollback import resume, roll_back


def promote(judged: Any, n: int, run_id: str = "by hand") -> str:
    return promotion.promote(judged.runtime, "small", n, by="test", run_id=run_id, why="test")


def override_by_hand(judged: Any, n: int, why: str = "we know better") -> None:
    override(judged.runtime, "small", n, by="ada", run_id="by hand", why=why)


def go_back(judged: Any, to: int, kind: Any = "drill") -> None:
    """Roll back, and lift the hold at once."""
    roll_back(judged.runtime, "small", to, kind=kind, why="test", by="test", run_id=f"back to {to}")
    resume(judged.runtime, "small", by="test", run_id="resume")


class DiesWriting(io.StringIO):
    """Where a task's log would go, had the task not been killed right then."""

    def write(self, text: str) -> int:
        raise KeyboardInterrupt(text)


def test_candidate_without_a_verdict_is_not_promoted(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    candidate = judged.propose()
    with pytest.raises(PromotionRefused, match="found none"):
        promote(judged, candidate)
    assert judged.live() == 1


def test_rejected_candidate_is_not_promoted(judged: Any) -> None:
    judged.retrieve_by(min_score=0.99)
    run, candidate = judged.judge()
    with pytest.raises(PromotionRefused, match="found reject"):
        outcomes.promote(judged.runtime, run, candidate)
    assert judged.end(run, candidate) == "reject"
    assert (judged.live(), judged.release(candidate).outcome) == (1, "rejected")


def test_inconclusive_candidate_is_held_and_not_promoted(judged: Any) -> None:
    judged.questions = judged.questions[:20]
    judged.write_questions()
    judged.retrieve_by(top_k=4)
    run, candidate = judged.judge()
    assert judged.end(run, candidate) == "hold"
    with pytest.raises(PromotionRefused, match="found inconclusive"):
        promote(judged, candidate)


def test_decide_holds_a_candidate_that_nobody_judged(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    run = judged.index()
    candidate = judged.propose()
    assert decide(judged.runtime, run, candidate) == "hold"


def test_release_that_does_not_exist_is_not_promoted(judged: Any) -> None:
    with pytest.raises(PromotionRefused, match="release 7 of small, found none"):
        promote(judged, 7)


def test_promote_killed_after_its_commit_succeeds_when_it_is_tried_again(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    run, candidate = judged.judge()
    with contextlib.redirect_stdout(DiesWriting()), pytest.raises(KeyboardInterrupt):
        outcomes.promote(judged.runtime, run, candidate)
    assert judged.live() == candidate
    assert outcomes.promote(judged.runtime, run, candidate) == "promoted"
    assert judged.events("promoted") == [("promoted", 1), ("promoted", candidate)]


def test_promote_tried_again_after_something_newer_went_live_changes_nothing(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    run, candidate = judged.judge()
    outcomes.promote(judged.runtime, run, candidate)
    judged.retrieve_by(top_k=5)
    newer, _ = judged.whole_run()
    before = judged.events()
    assert outcomes.promote(judged.runtime, run, candidate) == "superseded"
    assert judged.events() == before
    assert (judged.live(), judged.release(candidate).outcome) == (newer, "promoted")


@pytest.mark.parametrize(("settings", "branch"), [({"min_score": 0.99}, "rejected"), ({"top_k": 4}, "held")])
def test_reject_and_hold_tried_again_are_recorded_once(judged: Any, settings: dict[str, Any], branch: str) -> None:
    if branch == "held":
        judged.hold()
    judged.retrieve_by(**settings)
    run, candidate = judged.judge()
    judged.end(run, candidate)
    judged.end(run, candidate)
    assert judged.events(branch) == [(branch, candidate)]


def test_candidate_whose_parent_moved_is_superseded(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    judged.whole_run()
    judged.retrieve_by(top_k=5)
    run, candidate = judged.judge()
    go_back(judged, 1)
    assert outcomes.promote(judged.runtime, run, candidate) == "superseded"
    assert outcomes.promote(judged.runtime, run, candidate) == "superseded"
    assert (judged.live(), judged.release(candidate).outcome) == (1, "superseded")
    assert judged.events("superseded") == [("superseded", candidate)]
    rebased, branch = judged.whole_run()
    assert (judged.live(), branch) == (rebased, "promote")


def test_candidate_whose_parent_moved_is_judged_by_one_new_run_and_at_most_twice(judged: Any, capsys: Any) -> None:
    judged.retrieve_by(top_k=4)
    judged.whole_run()
    judged.retrieve_by(top_k=5)
    for live, again in ((1, True), (2, True), (1, False)):
        run, candidate = judged.judge()
        assert not outcomes.needs_new_run(judged.runtime, run, candidate)
        go_back(judged, live)
        assert outcomes.promote(judged.runtime, run, candidate) == "superseded"
        assert outcomes.needs_new_run(judged.runtime, run, candidate) == again
    assert judged.release(candidate).outcome == "held"
    assert "its parent moved 3 times" in capsys.readouterr().out


def test_superseded_candidate_that_a_newer_generation_contains_needs_no_run(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    judged.whole_run()
    judged.write("desk-30.md", judged.text(30, "On Mondays."))
    run, candidate = judged.judge()
    go_back(judged, 1)
    assert outcomes.promote(judged.runtime, run, candidate) == "superseded"
    judged.write("desk-31.md", judged.text(31, "On Fridays."))
    judged.index()
    assert not outcomes.needs_new_run(judged.runtime, run, candidate)


def test_nothing_is_promoted_on_a_hold(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    judged.whole_run()
    roll_back(judged.runtime, "small", 1, kind="drill", why="a drill", by="ada", run_id="back")
    with pytest.raises(PromotionRefused, match=r"by ada: rolled back from release 2: a drill"):
        promote(judged, 2)
    assert judged.live() == 1


def test_person_may_override_with_a_reason(judged: Any) -> None:
    judged.retrieve_by(min_score=0.99)
    run, candidate = judged.judge()
    judged.end(run, candidate)
    with pytest.raises(PromotionRefused, match="reason for the override"):
        override_by_hand(judged, candidate, why=" ")
    override_by_hand(judged, candidate)
    assert promote(judged, candidate) == "promoted"
    assert judged.events("overridden", "promoted")[-2:] == [("overridden", candidate), ("promoted", candidate)]


def test_what_was_never_judged_cannot_be_overridden(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    candidate = judged.propose()
    with pytest.raises(PromotionRefused, match="to have a verdict"):
        override_by_hand(judged, candidate)


def test_leak_is_never_overridden(judged: Any) -> None:
    with judged.runtime.database.transaction() as connection:
        connection.execute("UPDATE chunks SET groups = '{staff}' WHERE uri LIKE 'secret/%'")
    judged.retrieve_by(top_k=4)
    run, candidate = judged.judge()
    assert judged.end(run, candidate) == "reject"
    with pytest.raises(PromotionRefused, match=r"secret/vault-0\.md is not for staff"):
        override_by_hand(judged, candidate)
    with pytest.raises(PromotionRefused, match="found reject"):
        promote(judged, candidate)


def test_failed_data_quality_is_never_overridden(judged: Any) -> None:
    judged.passing = False
    judged.retrieve_by(top_k=4)
    run, candidate = judged.judge()
    assert judged.end(run, candidate) == "reject"
    with pytest.raises(PromotionRefused, match="expectation suite failed"):
        override_by_hand(judged, candidate)


def test_release_whose_rows_are_pruned_is_not_promoted(judged: Any) -> None:
    """Held and then superseded, it is kept by nothing; live would be missing what was deleted."""
    judged.hold()
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    held, branch = judged.whole_run()
    assert branch == "hold"
    judged.write("desk-0.md", judged.text(0, "On Tuesdays."))
    judged.whole_run()
    housekeeping.prune(judged.runtime, judged.start())
    resume(judged.runtime, "small", by="test", run_id="resume")
    with pytest.raises(PromotionRefused, match="pruned"):
        promote(judged, held)
