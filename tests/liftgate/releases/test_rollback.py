from __future__ import annotations

from typing import Any

import pytest

from liftgate import housekeeping
from liftgate.errors import PromotionRefused
from liftgate.evaluation.judge_release import judge_release, needs_verdict
from liftgate.releases import outcomes
from liftgate.releases.ledger import hold
from liftgate.releases.promotion import override, promote
from liftgate.releases.propose import propose_prompt
from liftgate.releases.rollback import resume, roll_back
from liftgate.runs import freeze_as_before


def back(judged: Any, to: int, kind: Any = "drill", **more: Any) -> int:
    asked = {"why": "it was worse", "by": "ada", "run_id": f"back {len(judged.events())}", **more}
    return roll_back(judged.runtime, "small", to, kind=kind, **asked)


def forward(judged: Any, n: int) -> str:
    return promote(judged.runtime, "small", n, by="ada", run_id=f"forward {len(judged.events())}")


def go_on(judged: Any) -> bool:
    return resume(judged.runtime, "small", by="ada", run_id="resume")


def second_release(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (2, "promote")


def other_prompt(judged: Any) -> int:
    """A release with another prompt, live by an override."""
    (judged.folder / "prompt.md").write_text("---\nrefusal: No.\n---\nBriefly.\n$context\n\n$question\n")
    run = judged.start()
    prompt: int = propose_prompt(judged.runtime, run)
    judged.compare_answers(run, prompt)
    override(judged.runtime, "small", prompt, by="ada", run_id="by hand", why="test")
    forward(judged, prompt)
    return prompt


def test_rollback_moves_live_and_holds_promotions(judged: Any) -> None:
    second_release(judged)
    assert back(judged, 1) == 1
    assert judged.live() == 1
    with judged.runtime.database.transaction() as connection:
        held = hold(connection, "small")
    assert held
    assert (held.by_whom, held.why) == ("ada", "rolled back from release 2: it was worse")


def test_rollback_tried_again_by_the_same_run_changes_nothing(judged: Any) -> None:
    second_release(judged)
    back(judged, 1, run_id="roll_back_small:manual")
    before = judged.events()
    assert back(judged, 1, run_id="roll_back_small:manual") == 1
    assert judged.events() == before


@pytest.mark.parametrize("kind", ["drill", "operational"])
def test_after_a_drill_the_old_verdict_stands(judged: Any, kind: str) -> None:
    second_release(judged)
    back(judged, 1, kind)
    go_on(judged)
    assert forward(judged, 2) == "promoted"
    assert (judged.live(), judged.count("verdicts")) == (2, 2)


@pytest.mark.parametrize("kind", ["quality", "legal"])
def test_after_a_quality_rollback_going_forward_takes_new_evidence(judged: Any, kind: str) -> None:
    second_release(judged)
    back(judged, 1, kind)
    go_on(judged)
    with pytest.raises(PromotionRefused, match="it was worse"):
        forward(judged, 2)
    run, candidate = judged.judge()
    assert candidate == 2
    with pytest.raises(PromotionRefused, match="Expected evidence added"):
        outcomes.promote(judged.runtime, run, candidate)
    judged.ask_more()
    assert judged.whole_run() == (2, "promote")
    assert judged.live() == 2


def test_after_a_quality_rollback_a_person_may_override_again(judged: Any) -> None:
    """An override from before the rollback does not count."""
    judged.retrieve_by(min_score=0.99)
    judged.whole_run()
    override(judged.runtime, "small", 2, by="ada", run_id="by hand", why="we know better")
    forward(judged, 2)
    back(judged, 1, "quality")
    go_on(judged)
    with pytest.raises(PromotionRefused, match="verdict `promote`"):
        forward(judged, 2)
    override(judged.runtime, "small", 2, by="ada", run_id="by hand", why="we still know better")
    assert forward(judged, 2) == "promoted"


def test_after_a_quality_rollback_the_same_candidate_under_another_number_takes_new_evidence_too(judged: Any) -> None:
    """Rolled back beyond its parent, it is proposed on another parent, under a new number."""
    second_release(judged)
    judged.retrieve_by(top_k=5)
    assert judged.whole_run() == (3, "promote")
    back(judged, 1, "quality")
    go_on(judged)
    run, candidate = judged.judge()
    assert candidate == 4
    with pytest.raises(PromotionRefused, match="Expected evidence added"):
        outcomes.promote(judged.runtime, run, candidate)
    judged.ask_more()
    assert judged.whole_run() == (4, "promote")


def test_next_scheduled_run_does_not_undo_a_rollback(judged: Any) -> None:
    second_release(judged)
    back(judged, 1)
    assert judged.whole_run() == (2, "hold")
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (3, "hold")
    assert judged.whole_run() == (0, "nothing")
    assert (judged.live(), judged.release(3).outcome) == (1, "held")


def test_held_promote_is_carried_out_after_resume_without_judging_again(judged: Any) -> None:
    second_release(judged)
    back(judged, 1)
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (3, "hold")
    before = judged.count("verdicts"), judged.count("evidence")
    assert go_on(judged)
    run = judged.index()
    assert judged.kind(run) == "verify"
    _, candidate = judged.judge(run)
    assert (candidate, judged.end(run, candidate), judged.live()) == (3, "promote", 3)
    assert (judged.count("verdicts"), judged.count("evidence")) == before


def test_resume_without_a_hold_records_nothing(judged: Any) -> None:
    before = judged.events()
    assert not go_on(judged)
    assert judged.events() == before


def test_nothing_but_a_release_that_was_live_can_be_gone_back_to(judged: Any) -> None:
    judged.retrieve_by(min_score=0.99)
    judged.whole_run()
    with pytest.raises(PromotionRefused, match="which never was"):
        back(judged, 2)
    with pytest.raises(PromotionRefused, match="release 9 of small, found none"):
        back(judged, 9)
    assert judged.live() == 1


def test_release_whose_rows_are_pruned_cannot_be_gone_back_to(judged: Any) -> None:
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (2, "promote")
    judged.ask_more()
    judged.write("desk-1.md", judged.text(1, "On Mondays."))
    assert judged.whole_run() == (3, "promote")
    with judged.runtime.database.transaction() as connection:
        connection.execute("UPDATE evidence SET value = 0 WHERE evaluation_id IN (1, 2)")  # neither is the anchor
    housekeeping.prune(judged.runtime, judged.start())
    with pytest.raises(PromotionRefused, match="pruned"):
        back(judged, 2)


def test_rollback_takes_a_reason(judged: Any) -> None:
    second_release(judged)
    with pytest.raises(PromotionRefused, match="reason"):
        back(judged, 1, why=" ")


def test_rollback_of_one_part_makes_a_release_that_nobody_judged(judged: Any) -> None:
    second_release(judged)
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (3, "promote")
    judged.retrieve_by(top_k=5)
    prompt = other_prompt(judged)
    mixed = back(judged, 1, part="retrieval")
    assert (prompt, mixed, judged.live()) == (4, 5, 5)
    made, first, newest = (judged.release(n) for n in (mixed, 1, prompt))
    assert (made.unjudged, made.component, made.parent) == (True, "retrieval", prompt)
    assert made.makeup.retrieval == first.makeup.retrieval
    assert made.makeup.prompt == newest.makeup.prompt


def test_release_made_by_a_rollback_is_judged_like_any_other(judged: Any) -> None:
    second_release(judged)
    mixed = back(judged, 1, part="retrieval")
    assert (mixed, judged.live()) == (3, 3)
    assert judged.whole_run() == (4, "hold")


def test_nothing_is_gone_back_to_that_is_live(judged: Any) -> None:
    """A rollback for quality would blame what stays live, and ask for new evidence on it for ever."""
    second_release(judged)
    before = judged.events()
    for part in (None, "retrieval", "prompt"):
        with pytest.raises(PromotionRefused, match="holds what release 2 holds"):
            back(judged, 1 if part == "prompt" else 2, "quality", part=part)
    assert judged.events() == before


def test_prompt_alone_can_be_gone_back_to_when_the_rows_of_its_release_are_pruned(judged: Any) -> None:
    prompt = other_prompt(judged)
    with judged.runtime.database.transaction() as connection:
        connection.execute("UPDATE generations SET pruned_at = now() WHERE generation = 1")
    with pytest.raises(PromotionRefused, match="pruned"):
        back(judged, 1)
    assert back(judged, 1, part="prompt") == prompt + 1


def test_release_that_a_rollback_of_retrieval_made_is_judged_against_what_was_live_before(judged: Any) -> None:
    judged.retrieve_by(top_k=4)
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (2, "promote")
    mixed = back(judged, 1, part="retrieval", run_id="roll_back_small:manual")
    run = freeze_as_before(judged.runtime, "small", "roll_back_small:manual")
    assert needs_verdict(judged.runtime, run, mixed)
    assert judge_release(judged.runtime, run, mixed) == "promote"
    sides = judged.query(
        "SELECT comparison #> '{comparison,made_of}' AS made_of FROM evaluations WHERE release = %s", mixed
    )
    assert sides[0]["made_of"]["baseline"]["retrieval"] == judged.release(2).makeup.parts()["retrieval"]
    assert judged.events("evaluated")[-1] == ("evaluated", mixed)
    assert judged.live() == mixed


def test_release_that_a_rollback_of_the_prompt_made_is_judged_on_the_guards_alone(judged: Any) -> None:
    """The adapter's or prompt's gate asks for a KPI that improves; going back claims nothing of the kind."""
    prompt = other_prompt(judged)
    mixed = back(judged, 1, part="prompt", run_id="roll_back_small:manual")
    run = freeze_as_before(judged.runtime, "small", "roll_back_small:manual")
    for n in (mixed, prompt):
        judged.answer(run, judged.release(n).makeup, lambda *_: "I do not know.")
    judge_release(judged.runtime, run, mixed)
    checks = judged.query("SELECT verdict -> 'checks' AS checks FROM verdicts WHERE release = %s", mixed)[0]["checks"]
    assert {check["kind"] for check in checks} >= {"guard", "leak"}
    assert not [check for check in checks if check["kind"] == "kpi"]


def test_release_that_went_live_by_a_verdict_needs_no_other(judged: Any) -> None:
    second_release(judged)
    back(judged, 1)
    assert not needs_verdict(judged.runtime, freeze_as_before(judged.runtime, "small", "roll_back_small:x"), 1)
