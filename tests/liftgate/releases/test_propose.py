from __future__ import annotations

from typing import Any

import pytest

from liftgate import housekeeping
from liftgate.errors import PromotionRefused
from liftgate.releases.promotion import override, promote
from liftgate.releases.propose import propose_candidate, propose_prompt
from liftgate.releases.rollback import resume

NEW_PROMPT = "---\nrefusal: No.\n---\nBriefly.\n$context\n\n$question\n"


def test_what_equals_live_is_not_proposed(judged: Any) -> None:
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (2, "promote")
    judged.write("desk-1.md", judged.text(1, "On Mondays."))
    judged.index()
    judged.write("desk-1.md", judged.text(1))
    assert judged.propose() == 0
    assert judged.events("proposed") == [("proposed", 1), ("proposed", 2)]


def test_candidate_that_waits_is_superseded_by_what_equals_live(judged: Any) -> None:
    judged.hold()
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (2, "hold")
    judged.write("desk-0.md", judged.text(0))
    assert judged.propose() == 0
    assert judged.release(2).outcome == "superseded"


def test_newer_candidate_supersedes_older_ones_of_its_component(judged: Any) -> None:
    judged.hold()
    (judged.folder / "prompt.md").write_text(NEW_PROMPT)
    prompt = propose_prompt(judged.runtime, judged.start())
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (3, "hold")
    judged.retrieve_by(top_k=5)
    assert judged.whole_run() == (4, "hold")
    assert [judged.release(n).outcome for n in (prompt, 3, 4)] == [None, "superseded", "held"]


def test_candidate_that_is_held_keeps_its_number(judged: Any) -> None:
    judged.hold()
    judged.retrieve_by(top_k=4)
    run, candidate = judged.judge()
    judged.end(run, candidate)
    assert propose_candidate(judged.runtime, run) == candidate == 2
    assert judged.count("releases") == 2


def test_same_pair_of_candidate_and_conditions_is_never_judged_twice(judged: Any) -> None:
    judged.retrieve_by(min_score=0.99)
    run, _ = judged.judge()
    before = [judged.count(table) for table in ("evaluations", "evidence", "verdicts")]
    judged.judge(run)
    judged.retrieve_by(top_k=4)
    judged.judge()
    judged.retrieve_by(min_score=0.99)
    judged.judge()
    assert judged.count("verdicts") == before[2] + 1
    judged.judge(run)
    assert [judged.count(table) for table in ("evaluations", "verdicts")] == [before[0] + 1, before[2] + 1]


def test_candidate_that_comes_back_after_it_was_superseded_and_pruned_is_built_on_rows_that_are_there(
    judged: Any,
) -> None:
    """Its verdict stands; the release of the first time, whose rows are gone, does not go live."""
    judged.hold()
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (2, "hold")
    judged.write("desk-0.md", judged.text(0, "On Tuesdays."))
    assert judged.whole_run() == (3, "hold")
    housekeeping.prune(judged.runtime, judged.start())
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (4, "hold")
    assert judged.whole_run() == (0, "nothing")
    resume(judged.runtime, "small", by="test", run_id="resume")
    verdicts = judged.count("verdicts")
    assert judged.whole_run() == (4, "promote")
    assert judged.count("verdicts") == verdicts
    assert judged.release(4).fingerprint == judged.release(2).fingerprint
    assert any("Mondays" in text for text in judged.seen(judged.release(4).makeup.retrieval.generation))


def test_only_the_first_release_takes_prompt_and_base_from_the_configuration(judged: Any) -> None:
    (judged.folder / "prompt.md").write_text(NEW_PROMPT)
    judged.write_settings(answers={"prompt": "../prompt.md", "max_new_tokens": 10})
    judged.retrieve_by(top_k=4)
    first, second = judged.release(1).makeup, judged.release(judged.propose()).makeup
    assert (second.prompt, second.max_new_tokens) == (first.prompt, first.max_new_tokens)
    assert second.retrieval.settings.top_k == 4


def test_prompt_candidate_takes_everything_but_the_prompt_from_live(judged: Any) -> None:
    assert propose_prompt(judged.runtime, judged.start()) == 0
    (judged.folder / "prompt.md").write_text(NEW_PROMPT)
    judged.retrieve_by(top_k=4)
    made = judged.release(propose_prompt(judged.runtime, judged.start()))
    live = judged.release(1).makeup
    assert (made.component, made.parent, made.makeup.prompt.text) == ("prompt", 1, NEW_PROMPT)
    assert made.makeup.model_copy(update={"prompt": live.prompt}) == live


def test_prompt_is_not_proposed_where_nothing_is_live(small: Any) -> None:
    with pytest.raises(PromotionRefused, match="live release of small"):
        propose_prompt(small.runtime, small.start())


def test_candidate_of_another_component_outlives_a_promotion_only_as_superseded(judged: Any) -> None:
    """It was judged on a release that is no longer live."""
    (judged.folder / "prompt.md").write_text(NEW_PROMPT)
    run = judged.start()
    prompt = propose_prompt(judged.runtime, run)
    judged.compare_answers(run, prompt)
    override(judged.runtime, "small", prompt, by="ada", run_id="by hand", why="test")
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (3, "promote")
    assert promote(judged.runtime, "small", prompt, by="ada", run_id="by hand") == "superseded"
    assert judged.live() == 3
