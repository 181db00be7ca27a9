"""What ends a canary besides its time, and how long its judgement counts."""

from __future__ import annotations

import time
from typing import Any

import pytest
from canaries import (
    HALF,
    back,
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

from liftgate.releases import outcomes, promotion
from liftgate.releases.canary_steps import end_canary, judge_canary, seconds_left, start_canary
from liftgate.releases.promotion import decide, override
from liftgate.releases.rollback import resume, roll_back
from liftgate.training.due import stop_if_nothing_to_do

BY_HAND = {"by": "test", "run_id": "by hand"}


@pytest.mark.slow
def test_a_newer_canary_takes_the_place_of_one_that_runs(judged: Any) -> None:
    run, older = started(judged)
    _, newer = started(judged, name="two")
    assert (running(judged), judged.release(older).outcome) == (newer, "superseded")
    assert seconds_left(judged.runtime, run, older) == 0
    assert judge_canary(judged.runtime, run, older) == 0


@pytest.mark.slow
def test_a_newer_candidate_that_is_not_good_leaves_the_canary_alone(judged: Any) -> None:
    _, older = started(judged)
    run, newer = better_adapter(judged, name="two")
    outcomes.reject(judged.runtime, run, newer)
    assert running(judged) == older
    reported(judged, canary=0.9, live=0.9)
    assert whole_canary(judged, older) == (older, "promote")


@pytest.mark.slow
def test_a_rollback_ends_the_canary_and_its_adapter_may_be_tried_again(judged: Any) -> None:
    new_index(judged)
    _, candidate = started(judged)
    back(judged, 1)
    assert running(judged) is None
    run, rebased = better_adapter(judged)
    assert judge_canary(judged.runtime, run, candidate) == 0
    assert decide(judged.runtime, run, rebased) == "start_canary"


@pytest.mark.parametrize("ends", ["hold", "override", "answer"])
def test_a_hold_a_promotion_by_hand_or_a_no_ends_the_canary(judged: Any, ends: str) -> None:
    run, candidate = started(judged)
    if ends == "hold":
        judged.hold()
    elif ends == "answer":
        outcomes.reject(judged.runtime, run, candidate)
    else:
        override(judged.runtime, "small", candidate, why="we know better", **BY_HAND)
        promotion.promote(judged.runtime, "small", candidate, **BY_HAND)
    assert running(judged) is None


@pytest.mark.slow
def test_a_person_ends_a_canary_and_their_no_stands_for_the_adapter(judged: Any) -> None:
    run, candidate = started(judged)
    reported(judged, canary=0.9, live=0.9)
    assert end_canary(judged.runtime, "small", candidate, by="ada", run_id="by hand", why="readers complain")
    assert (running(judged), seconds_left(judged.runtime, run, candidate)) == (None, 0)
    assert last_why(judged, "rejected") == "canary: Failed: ended by ada: readers complain."
    assert judge_canary(judged.runtime, run, candidate) == candidate
    assert judged.end(run, candidate) == "reject"
    assert judged.events("rejected") == [("rejected", candidate)]
    new_index(judged)
    again, rebased = better_adapter(judged)
    assert decide(judged.runtime, again, rebased) == "reject"
    assert not end_canary(judged.runtime, "small", candidate, by="ada", run_id="again", why="once more")


def test_a_person_who_ends_a_canary_leaves_no_release_with_its_adapter_open(judged: Any) -> None:
    _, candidate = started(judged)
    new_index(judged)
    run, rebased = better_adapter(judged)
    assert judged.end(run, rebased) == "hold"
    end_canary(judged.runtime, "small", candidate, by="ada", run_id="by hand", why="readers complain")
    assert [judged.release(n).outcome for n in (candidate, rebased)] == ["superseded", "rejected"]
    assert judged.events("rejected") == [("rejected", rebased)]


def test_a_canary_that_nobody_waits_for_is_taken_up_by_a_run_of_another_name(judged: Any) -> None:
    short = {**HALF, "hours": 0.3 / 3600}
    run, candidate = better_adapter(judged, canary=short)
    first = start_canary(judged.runtime, run, candidate)
    time.sleep(0.4)
    assert stop_if_nothing_to_do(judged.runtime, run, "set-one")
    assert decide(judged.runtime, run, candidate) == "start_canary"
    second = start_canary(judged.runtime, run, candidate)
    assert first != "superseded" != second
    assert second["run"] == f"{first['run']}__overdue_{run.run_id}"
    assert start_canary(judged.runtime, run, candidate) == second
    assert judged.events("canary_started") == [("canary_started", candidate)]
    assert judge_canary(judged.runtime, run, candidate) == candidate
    assert decide(judged.runtime, run, candidate) == "hold"


@pytest.mark.parametrize(("kind", "branch"), [("operational", "promote"), ("quality", "start_canary")])
def test_a_canary_that_passed_counts_no_more_after_a_rollback_for_quality(judged: Any, kind: Any, branch: str) -> None:
    _, candidate = started(judged)
    reported(judged, canary=0.9, live=0.9)
    assert whole_canary(judged, candidate) == (candidate, "promote")
    roll_back(judged.runtime, "small", 1, kind=kind, why="complaints", **BY_HAND)
    resume(judged.runtime, "small", **BY_HAND)
    judged.ask_more()
    run, again = better_adapter(judged)
    assert decide(judged.runtime, run, again) == branch


def test_a_canary_that_failed_stands_where_the_configuration_wants_none_any_more(judged: Any) -> None:
    _, candidate = started(judged)
    reported(judged, canary=0.6, live=0.9)
    ended(judged, candidate)
    run = adapter_run(judged)
    assert decide(judged.runtime, run, candidate) == "reject"


def test_a_canary_that_runs_holds_nobody_where_the_configuration_gave_it_up(judged: Any) -> None:
    _, candidate = started(judged)
    assert decide(judged.runtime, adapter_run(judged), candidate) == "promote"
