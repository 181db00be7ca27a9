"""Approval: where it is configured, a verdict alone makes nothing live, and every answer stands in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from liftgate.errors import ConfigurationError, PromotionRefused
from liftgate.releases import promotion
from liftgate.releases.approval import Given, ask_for_approval, record_answer
from liftgate.releases.approval_request import approval_request
from liftgate.releases.outcomes import needs_new_run
from liftgate.releases.promotion import decide
from liftgate.releases.rollback import resume, roll_back
from liftgate.runs import freeze_as_before

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def wanted(judged: Any, **approval: Any) -> Any:
    """Ask a person about every candidate from now on, and change something that the gate promotes."""
    judged.write_settings(approval=approval)
    judged.retrieve_by(top_k=4)
    return judged


def asked(judged: Any) -> tuple[Any, int]:
    """A run up to the question: the run and its candidate."""
    run, candidate = judged.judge()
    assert decide(judged.runtime, run, candidate) == "ask_for_approval"
    ask_for_approval(judged.runtime, run, candidate)
    return run, candidate


def answer(judged: Any, n: int, what: str, by: str = "ada", evaluation: int | None = None) -> bool:
    """The steps of a run of approve_small, up to the outcome."""
    run = freeze_as_before(judged.runtime, "small", f"approve_small:{what}-{by}-{n}")
    about = evaluation or shown(judged, n)
    counts = record_answer(judged.runtime, run, n, about, Given(what, by, NOON))
    if counts:
        judged.end(run, n)
    return counts


def shown(judged: Any, n: int) -> int:
    """The evaluation that a question about the release shows now."""
    return approval_request(judged.runtime, "small", n).evaluation


def last_event(judged: Any, *kinds: str) -> dict[str, Any]:
    found = judged.query("SELECT * FROM events WHERE kb = 'small' ORDER BY n")
    return dict([row for row in found if row["kind"] in kinds][-1])


def test_without_the_block_a_verdict_is_enough(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (2, "promote")


def test_a_good_candidate_waits_for_a_person_and_goes_live_by_their_answer(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    assert (judged.live(), judged.release(candidate).outcome) == (1, "held")
    assert answer(judged, candidate, "promote")
    assert judged.live() == candidate
    event = last_event(judged, "approved")
    assert (event["by_whom"], event["release"]) == ("ada", candidate)
    assert event["details"]["answered_at"] == NOON.isoformat()


def test_a_candidate_that_is_not_good_is_nobodys_question(judged: Any) -> None:
    wanted(judged)
    judged.retrieve_by(min_score=0.99)
    assert judged.whole_run() == (2, "reject")


def test_only_the_kinds_that_are_named_wait(judged: Any) -> None:
    wanted(judged, of=["prompt", "adapter"])
    assert judged.whole_run() == (2, "promote")


@pytest.mark.parametrize("what", ["reject", "hold"])
def test_a_no_and_a_hold_leave_live_as_it_is_and_are_not_asked_about_again(judged: Any, what: str) -> None:
    _, candidate = asked(wanted(judged))
    assert answer(judged, candidate, what)
    event = last_event(judged, "rejected", "held")
    assert (event["by_whom"], event["why"]) == ("ada", f"ada answered {what} at 2026-01-01 12:00 UTC")
    assert judged.live() == 1
    assert judged.whole_run() == (0, "nothing")


def test_nobody_is_asked_twice_while_a_question_is_open(judged: Any) -> None:
    run, candidate = asked(wanted(judged))
    assert judged.whole_run() == (0, "nothing")
    assert decide(judged.runtime, run, candidate) == "hold"
    ask_for_approval(judged.runtime, run, candidate)
    assert [n for _, n in judged.events("held")] == [candidate]


def test_a_forced_run_does_not_ask_again_what_was_refused(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    answer(judged, candidate, "reject")
    run, again = judged.judge(judged.index(forced=True))
    assert decide(judged.runtime, run, again) == "reject"


def test_new_evidence_is_asked_about_anew_and_an_answer_to_the_old_question_does_not_count(judged: Any) -> None:
    run, candidate = asked(wanted(judged))
    old = judged.query("SELECT max(id) AS id FROM evaluations")[0]["id"]
    judged.ask_more()
    assert asked(judged)[1] == candidate
    assert not answer(judged, candidate, "promote", evaluation=old)
    assert judged.live() == 1
    assert answer(judged, candidate, "promote", by="bob")
    assert judged.live() == candidate


def test_a_newer_candidate_supersedes_one_that_waits(judged: Any) -> None:
    _, older = asked(wanted(judged))
    judged.retrieve_by(top_k=5)
    _, newer = asked(judged)
    assert not answer(judged, older, "promote")
    assert (judged.live(), judged.release(older).outcome) == (1, "superseded")
    assert ("approved", older) not in judged.events("approved")
    assert answer(judged, newer, "promote")
    assert judged.live() == newer


def test_an_approved_release_is_not_promoted_after_a_newer_candidate_came(judged: Any) -> None:
    """The newer one comes between the answer and the promotion."""
    _, older = asked(wanted(judged))
    run = freeze_as_before(judged.runtime, "small", "approve_small:slow")
    assert record_answer(judged.runtime, run, older, shown(judged, older), Given("promote", "ada", NOON))
    judged.retrieve_by(top_k=5)
    asked(judged)
    judged.end(run, older)
    assert (judged.live(), judged.release(older).outcome) == (1, "superseded")


def test_an_approved_release_whose_parent_moved_is_superseded_and_judged_again(judged: Any) -> None:
    judged.retrieve_by(top_k=5)
    assert judged.whole_run() == (2, "promote")
    run, candidate = asked(wanted(judged))
    roll_back(judged.runtime, "small", 1, kind="drill", why="test", by="test", run_id="back")
    resume(judged.runtime, "small", by="test", run_id="resume")
    assert answer(judged, candidate, "promote")
    assert (judged.live(), judged.release(candidate).outcome) == (1, "superseded")
    assert needs_new_run(judged.runtime, run, candidate)


def test_no_other_way_leads_around_the_question(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    by_hand = {"by": "test", "run_id": "by hand"}
    with pytest.raises(PromotionRefused, match=r"approval of release 2.*waiting.*approve_small"):
        promotion.promote(judged.runtime, "small", candidate, **by_hand)
    promotion.override(judged.runtime, "small", candidate, why="we know better", **by_hand)
    assert promotion.promote(judged.runtime, "small", candidate, **by_hand) == "promoted"


def test_a_yes_outlasts_a_drill_and_promotes_nothing_while_promotions_are_on_hold(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    judged.hold()
    assert answer(judged, candidate, "promote")
    assert (judged.live(), judged.release(candidate).outcome) == (1, "held")
    resume(judged.runtime, "small", by="test", run_id="resume")
    assert judged.whole_run() == (candidate, "promote")
    roll_back(judged.runtime, "small", 1, kind="drill", why="test", by="test", run_id="back")
    resume(judged.runtime, "small", by="test", run_id="resume again")
    assert judged.whole_run()[1] == "promote"


def test_a_deadline_that_passes_says_that_nobody_answered(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    assert answer(judged, candidate, "hold", by="")
    event = last_event(judged, "held")
    assert (event["by_whom"], "nobody had answered by 2026-01-01 12:00 UTC" in event["why"]) == ("nobody", True)
    assert answer(judged, candidate, "promote")
    assert judged.live() == candidate


def test_an_answer_is_recorded_once_however_often_the_step_is_tried(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    run = freeze_as_before(judged.runtime, "small", "approve_small:once")
    for _ in range(2):
        assert record_answer(judged.runtime, run, candidate, shown(judged, candidate), Given("hold", "ada", NOON))
    assert [n for kind, n in judged.events("held")] == [candidate, candidate]


def test_another_answer_in_a_cleared_run_takes_the_place_of_the_first(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    judged.hold()
    run = freeze_as_before(judged.runtime, "small", "approve_small:cleared")
    for what, by in (("promote", "ada"), ("reject", "grace")):
        assert record_answer(judged.runtime, run, candidate, shown(judged, candidate), Given(what, by, NOON))
    resume(judged.runtime, "small", by="test", run_id="resume")
    assert decide(judged.runtime, run, candidate) == "reject"
    with pytest.raises(PromotionRefused, match="found: reject"):
        promotion.promote(judged.runtime, "small", candidate, by="test", run_id="by hand")


@pytest.mark.parametrize("of", [["adapter"], ["retrieval"]])
def test_a_no_stands_also_where_the_configuration_asks_nobody_any_more(judged: Any, of: list[str]) -> None:
    _, candidate = asked(wanted(judged, of=["retrieval"]))
    judged.write_settings(approval={"of": of})
    judged.freeze()
    assert answer(judged, candidate, "reject")
    assert (judged.live(), judged.release(candidate).outcome) == (1, "rejected")


def test_a_question_that_the_configuration_gave_up_holds_nobody(judged: Any) -> None:
    run, candidate = asked(wanted(judged))
    judged.write_settings(approval={"of": ["adapter"]})
    judged.freeze()
    assert decide(judged.runtime, run, candidate) == "promote"


def test_an_answer_to_a_question_by_hand_counts_for_the_evidence_that_was_shown(judged: Any) -> None:
    _, candidate = asked(wanted(judged))
    before = shown(judged, candidate)
    judged.ask_more()
    asked(judged)
    run = freeze_as_before(judged.runtime, "small", "approve_small:by hand")
    assert not record_answer(judged.runtime, run, candidate, before, Given("promote", "ada", NOON))
    assert judged.live() == 1


def test_a_flow_that_cannot_ask_holds_what_needs_an_answer(judged: Any) -> None:
    run, candidate = wanted(judged).judge()
    assert decide(judged.runtime, run, candidate, asks=False) == "hold"


def test_what_is_no_answer_is_refused(judged: Any) -> None:
    run, candidate = asked(wanted(judged))
    with pytest.raises(ConfigurationError, match="promote, reject or hold"):
        record_answer(judged.runtime, run, candidate, shown(judged, candidate), Given("perhaps", "ada", NOON))


def test_a_person_is_shown_the_verdict_its_numbers_the_change_and_the_cost_and_no_document(judged: Any) -> None:
    wanted(judged)
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    _, candidate = asked(judged)
    request = approval_request(judged.runtime, "small", candidate)
    assert request.subject == "Shall release 2 of small go live?"
    assert request.body.startswith("**Promote: ")
    (row,) = [line for line in request.body.splitlines() if line.startswith("| guard recall against baseline |")]
    assert row.endswith("| pass | 1.000 | 1.000 | +0.000 | -0.082 to +0.082 | -0.100 |")
    assert "- top_k: 3 becomes 4." in request.body
    assert "1 documents were opened and 1 texts embedded." in request.body
    assert "Monday" not in request.body


def test_there_is_nothing_to_show_of_a_release_that_nobody_judged(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    with pytest.raises(ConfigurationError, match="verdict on release 2"):
        approval_request(judged.runtime, "small", judged.propose())
