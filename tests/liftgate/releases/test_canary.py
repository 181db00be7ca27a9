"""A canary: some readers get a new adapter first, and what became of their requests decides."""

from __future__ import annotations

from typing import Any

import pytest
from canaries import (
    HALF,
    at_the_end,
    better_adapter,
    ended,
    last_why,
    new_index,
    reported,
    running,
    started,
    whole_canary,
)
from trained_adapter import adapter_run

from liftgate import housekeeping
from liftgate.errors import PromotionRefused
from liftgate.releases import outcomes, promotion
from liftgate.releases.approval import Given, ask_for_approval, record_answer
from liftgate.releases.approval_request import approval_request
from liftgate.releases.canary_steps import end_canary, judge_canary, seconds_left, start_canary
from liftgate.releases.promotion import decide, override
from liftgate.releases.rollback import resume
from liftgate.runs import freeze_as_before
from liftgate.training.adapters import register_adapter
from liftgate.training.due import stop_if_nothing_to_do

BY_HAND = {"by": "test", "run_id": "by hand"}


def test_without_the_block_a_verdict_is_enough(judged: Any) -> None:
    run, candidate = better_adapter(judged, canary=None)
    assert decide(judged.runtime, run, candidate) == "promote"
    with pytest.raises(PromotionRefused, match="Expected `canary` in the file"):
        start_canary(judged.runtime, run, candidate)


def test_a_good_adapter_goes_live_when_its_canary_has_passed(judged: Any) -> None:
    _, candidate = started(judged)
    assert (judged.live(), running(judged)) == (1, candidate)
    reported(judged, canary=0.9, live=0.9)
    assert whole_canary(judged, candidate) == (candidate, "promote")
    assert (judged.live(), running(judged)) == (candidate, None)


def test_an_adapter_that_serves_readers_worse_is_rejected_with_its_numbers(judged: Any) -> None:
    _, candidate = started(judged)
    reported(judged, canary=0.6, live=0.9)
    assert whole_canary(judged, candidate) == (candidate, "reject")
    assert (judged.live(), judged.release(candidate).outcome) == (1, "rejected")
    assert last_why(judged, "rejected").startswith("canary: Failed: ")
    details = judged.query("SELECT details FROM events WHERE kind = 'canary_ended'")[0]["details"]
    found, sides = details["judgement"], ("canary", "live")
    assert sum(found[side]["answered"] for side in sides) == judged.count("canary_outcomes")
    assert found["upper"] < 0 > found["difference"] > found["lower"]


@pytest.mark.parametrize(("readers", "good"), [(100, 0.9), (450, 0.6)], ids=["too few", "not shown"])
def test_what_is_not_shown_is_held_and_never_promoted(judged: Any, readers: int, good: float) -> None:
    _, candidate = started(judged)
    reported(judged, canary=good, live=good + 0.06, readers=readers)
    assert whole_canary(judged, candidate) == (candidate, "hold")
    assert (judged.live(), judged.release(candidate).outcome) == (1, "held")
    assert "Inconclusive" in last_why(judged, "held")


def test_an_inconclusive_canary_is_repeated_only_with_other_settings(judged: Any) -> None:
    _, candidate = started(judged)
    whole_canary(judged, candidate)
    run = adapter_run(judged, file={"canary": HALF})
    assert decide(judged.runtime, run, candidate) == "hold"
    assert not stop_if_nothing_to_do(judged.runtime, run, "set-one")
    run = adapter_run(judged, file={"canary": {**HALF, "hours": 72}})
    assert stop_if_nothing_to_do(judged.runtime, run, "set-one")
    assert decide(judged.runtime, run, candidate) == "start_canary"


def test_a_canary_is_not_judged_good_before_its_time_is_up(judged: Any) -> None:
    run, candidate = started(judged)
    reported(judged, canary=0.9, live=0.9)
    assert 86_000 < seconds_left(judged.runtime, run, candidate) < 86_400
    with pytest.raises(PromotionRefused, match="Clear wait_for_outcomes"):
        judge_canary(judged.runtime, run, candidate)
    assert seconds_left(judged.runtime, run, candidate, at_the_end(judged)) == 0


def test_harm_ends_a_canary_at_once(judged: Any) -> None:
    run, candidate = started(judged)
    reported(judged, canary=0.4, live=0.9)
    assert seconds_left(judged.runtime, run, candidate) == 0
    assert judge_canary(judged.runtime, run, candidate) == candidate
    assert decide(judged.runtime, run, candidate) == "reject"


def test_harm_that_was_seen_ends_a_canary_whatever_comes_before_it_is_judged(judged: Any) -> None:
    run, candidate = started(judged)
    reported(judged, canary=0.4, live=0.9, readers=100)
    assert seconds_left(judged.runtime, run, candidate) == 0
    assert running(judged) is None
    assert judge_canary(judged.runtime, run, candidate) == candidate
    assert decide(judged.runtime, run, candidate) == "reject"


def test_no_other_way_leads_around_the_canary(judged: Any) -> None:
    run, candidate = better_adapter(judged)
    for found in (
        r"found: it has not run, .*\. Let adapter_small",
        r"found: it runs until .* UTC",
        "found: Inconclusive",
    ):
        with pytest.raises(PromotionRefused, match=found):
            promotion.promote(judged.runtime, "small", candidate, **BY_HAND)
        with pytest.raises(PromotionRefused, match=found):
            outcomes.promote(judged.runtime, run, candidate)
        if "not run" in found:
            start_canary(judged.runtime, run, candidate)
        elif "until" in found:
            judge_canary(judged.runtime, run, candidate, at_the_end(judged))
    override(judged.runtime, "small", candidate, why="we know better", **BY_HAND)
    assert promotion.promote(judged.runtime, "small", candidate, **BY_HAND) == "promoted"


def test_approval_comes_before_the_canary_and_does_not_lead_around_it(judged: Any) -> None:
    judged.write_settings(approval={"of": ["adapter"]})
    run, candidate = better_adapter(judged)
    assert decide(judged.runtime, run, candidate) == "ask_for_approval"
    with pytest.raises(PromotionRefused, match="approval of release"):
        start_canary(judged.runtime, run, candidate)
    ask_for_approval(judged.runtime, run, candidate)
    approve = freeze_as_before(judged.runtime, "small", "approve_small:one")
    shown = approval_request(judged.runtime, "small", candidate).evaluation
    assert record_answer(
        judged.runtime, approve, candidate, shown, Given("promote", "ada", judged.release(1).created_at)
    )
    with pytest.raises(PromotionRefused, match="it has not run"):
        outcomes.promote(judged.runtime, approve, candidate)
    assert decide(judged.runtime, approve, candidate) == "start_canary"
    start_canary(judged.runtime, approve, candidate)
    reported(judged, canary=0.9, live=0.9)
    assert whole_canary(judged, candidate) == (candidate, "promote")


def test_a_run_stops_where_a_person_refused_the_adapter_before_its_canary(judged: Any) -> None:
    run, candidate = better_adapter(judged)
    assert stop_if_nothing_to_do(judged.runtime, run, "set-one")
    outcomes.reject(judged.runtime, run, candidate)
    assert not stop_if_nothing_to_do(judged.runtime, run, "set-one")


def test_a_canary_starts_only_where_a_promotion_would_be_allowed(judged: Any) -> None:
    run, candidate = better_adapter(judged)
    judged.hold()
    assert decide(judged.runtime, run, candidate) == "hold"
    with pytest.raises(PromotionRefused, match="no hold on promotions"):
        start_canary(judged.runtime, run, candidate)
    resume(judged.runtime, "small", by="test", run_id="resume")
    new_index(judged)
    assert start_canary(judged.runtime, run, candidate) == "superseded"
    assert outcomes.needs_new_run(judged.runtime, run, candidate)
    assert running(judged) is None


def test_a_canary_that_is_started_again_by_the_same_run_is_the_same(judged: Any) -> None:
    run, candidate = better_adapter(judged)
    assert start_canary(judged.runtime, run, candidate) == start_canary(judged.runtime, run, candidate)
    assert judged.events("canary_started") == [("canary_started", candidate)]
    assert decide(judged.runtime, run, candidate) == "hold"


def test_a_run_that_started_a_canary_says_that_it_waits_for_its_end(judged: Any) -> None:
    run, candidate = started(judged)
    said = outcomes.notify(judged.runtime, run, candidate)
    assert said.startswith(f"Release {candidate} of small: judged promote; its canary: it runs until ")


@pytest.mark.slow
@pytest.mark.parametrize("ends", ["a person", "harm", "too few"])
def test_a_canary_that_has_ended_is_not_started_again_by_clearing_its_start(judged: Any, ends: str) -> None:
    run, candidate = started(judged)
    if ends == "a person":
        end_canary(judged.runtime, "small", candidate, why="complaints", **BY_HAND)
    else:
        reported(judged, canary=0.4, live=0.9, readers=600 if ends == "harm" else 10)
        ended(judged, candidate)
    with pytest.raises(PromotionRefused, match=r"found: (Failed|Inconclusive): .*Clear decide"):
        start_canary(judged.runtime, run, candidate)
    assert running(judged) is None


def test_an_adapter_whose_parent_moved_meanwhile_needs_no_second_canary(judged: Any) -> None:
    """Nobody judged it again meanwhile: the run that is started at the end does."""
    _, candidate = started(judged)
    new_index(judged)
    assert running(judged) == candidate
    reported(judged, canary=0.9, live=0.9)
    run = freeze_as_before(judged.runtime, "small", "canary_small:one")
    assert judge_canary(judged.runtime, run, candidate, at_the_end(judged)) == candidate
    assert outcomes.promote(judged.runtime, run, candidate) == "superseded"
    assert outcomes.needs_new_run(judged.runtime, run, candidate)
    again, rebased = better_adapter(judged)
    assert rebased != candidate
    assert judged.end(again, rebased) == "promote"
    assert judged.live() == rebased


@pytest.mark.slow
def test_the_end_of_a_canary_decides_about_no_release_that_is_still_being_answered(judged: Any) -> None:
    _, candidate = started(judged)
    new_index(judged)
    folder = str(judged.folder / "trained" / "one")
    rebased = register_adapter(judged.runtime, adapter_run(judged, file={"canary": HALF}), "set-one", folder)
    reported(judged, canary=0.9, live=0.9)
    assert whole_canary(judged, candidate) == (candidate, "promote")
    assert [judged.release(n).outcome for n in (candidate, rebased)] == ["superseded", None]
    assert better_adapter(judged)[1] == rebased
    assert decide(judged.runtime, adapter_run(judged, file={"canary": HALF}), rebased) == "promote"


@pytest.mark.slow
def test_an_adapter_that_was_judged_again_while_its_canary_ran_goes_live_as_its_newest_release(judged: Any) -> None:
    _, candidate = started(judged)
    new_index(judged)
    run, rebased = better_adapter(judged)
    assert judged.end(run, rebased) == "hold"
    assert "it runs until" in last_why(judged, "held")
    assert running(judged) == candidate
    reported(judged, canary=0.9, live=0.9)
    assert whole_canary(judged, candidate) == (rebased, "promote")
    assert judged.live() == rebased


def test_the_adapter_of_another_file_waits_until_the_readers_are_free(judged: Any) -> None:
    _, first = started(judged)
    run, second = better_adapter(judged, name="two", file="other")
    assert judged.end(run, second) == "hold"
    assert last_why(judged, "held").startswith(f"canary: that of release {first} runs until ")
    assert last_why(judged, "held").endswith(" UTC: run adapter_other again then.")
    assert stop_if_nothing_to_do(judged.runtime, run, "set-two")
    with pytest.raises(PromotionRefused, match=f"found: that of release {first} runs until"):
        start_canary(judged.runtime, run, second)
    ended(judged, first)
    assert decide(judged.runtime, run, second) == "start_canary"


def test_a_canary_is_judged_once_however_often_the_step_is_tried(judged: Any) -> None:
    run, candidate = started(judged)
    end = at_the_end(judged)
    for _ in range(2):
        assert judge_canary(judged.runtime, run, candidate, end) == candidate
    assert judged.events("canary_ended") == [("canary_ended", candidate)]


def test_a_flow_that_cannot_start_a_canary_holds_what_needs_one(judged: Any) -> None:
    run, candidate = better_adapter(judged)
    assert decide(judged.runtime, run, candidate, starts_canary=False) == "hold"


@pytest.mark.slow
def test_pruning_keeps_the_release_of_a_running_canary(judged: Any) -> None:
    """It is superseded when another adapter is proposed, and the index moved on twice."""
    new_index(judged)
    _, candidate = started(judged)
    better_adapter(judged, name="two")
    assert judged.release(candidate).outcome == "superseded"
    new_index(judged)
    outcomes.reject(judged.runtime, *better_adapter(judged, name="two"))
    new_index(judged)
    generation = judged.release(candidate).makeup.retrieval.generation
    assert not pruned(judged, generation)
    ended(judged, candidate)
    assert pruned(judged, generation)


def pruned(judged: Any, generation: int) -> bool:
    housekeeping.prune(judged.runtime, judged.start())
    rows = judged.query("SELECT pruned_at IS NOT NULL AS gone FROM generations WHERE generation = %s", generation)
    return bool(rows[0]["gone"])
