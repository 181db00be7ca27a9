from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from liftgate.config.gate import AnswerGate, Gate, Guard, Slice
from liftgate.errors import EvidenceRefused
from liftgate.evaluation.evidence import Comparison, Row, Side
from liftgate.gate.decision import decide
from liftgate.gate.policy import adapter, first_release, knowledge_base, prompt
from liftgate.gate.replay import evidence_json, replay
from liftgate.gate.verdict import Check, Verdict

PARTS = {"retrieval": "r1", "prompt": "p1", "adapter": "none"}
CONDITIONS = {"questions": "q1", "judge": "none", "decoding": "d1", "access": "a1"}
LIVE = {**PARTS, **CONDITIONS}
GATE = Gate(guards=(Guard(metric="recall"),))
QUESTIONS = 120
"""In 60 families of two."""


def values(losses: int = 0, wins: int = 0, base: float = 1.0) -> list[float | None]:
    """A score for each question: base, but for the first ones, which are spread over the families."""
    scores: list[float | None] = [base] * QUESTIONS
    for number in range(losses):
        scores[number] = 0.0
    for number in range(losses, losses + wins):
        scores[number] = 1.0
    return scores


def rows(side: Side, metric: str, scores: Sequence[float | None], slices: tuple[str, ...] = ()) -> list[Row]:
    return [Row(side, f"q{number:03}", f"f{number % 60}", metric, score, slices) for number, score in enumerate(scores)]


def retrieval(*measured: list[Row], **changes: object) -> Comparison:
    sides: set[str] = {row.side for group in measured for row in group}
    made_of = dict.fromkeys(sides, LIVE) | {"candidate": {**LIVE, "retrieval": "r2"}}
    evidence = Comparison("retrieval", made_of, tuple(row for group in measured for row in group), True)
    return replace(evidence, **changes)  # type: ignore[arg-type]


def against_equal_baseline(losses: int) -> Comparison:
    return retrieval(rows("candidate", "recall", values(losses)), rows("baseline", "recall", values()))


def check(verdict: Verdict, name: str) -> Check:
    return next(item for item in verdict.checks if item.name == name)


def test_candidate_that_retrieves_as_well_is_promoted() -> None:
    verdict = decide(knowledge_base(GATE), against_equal_baseline(losses=0))
    assert verdict.outcome == "promote"
    assert "decide at 80 %" in " ".join(verdict.summary)


def test_clear_loss_is_rejected() -> None:
    verdict = decide(knowledge_base(GATE), against_equal_baseline(losses=24))
    assert verdict.outcome == "reject"
    assert check(verdict, "guard recall against baseline").outcome == "fail"


def test_loss_that_may_be_chance_is_inconclusive_and_names_how_many_questions_are_missing() -> None:
    """Seven of 120 lost and two won: not above -margin, and not clearly below 0."""
    baseline = values()
    baseline[100:104] = [0.0] * 4
    evidence = retrieval(rows("candidate", "recall", values(losses=11)), rows("baseline", "recall", baseline))
    verdict = decide(knowledge_base(GATE), evidence)
    found = check(verdict, "guard recall against baseline")
    assert verdict.outcome == "inconclusive"
    assert found.outcome == "undecided"
    assert found.questions_needed is not None
    assert found.questions_needed > QUESTIONS
    assert str(found.questions_needed) in verdict.summary[0]


def test_too_few_families_are_never_a_pass() -> None:
    few = [rows(side, "recall", [1.0] * 20) for side in ("candidate", "baseline")]
    verdict = decide(knowledge_base(GATE), retrieval(*few))
    found = check(verdict, "guard recall against baseline")
    assert (verdict.outcome, found.outcome) == ("inconclusive", "not_assessed")
    assert "at least 29 families" in found.sentence


def test_guard_that_is_not_required_holds_nobody_while_it_is_not_assessed() -> None:
    gate = Gate(guards=(Guard(metric="recall"), Guard(metric="ndcg", required=False)))
    verdict = decide(knowledge_base(gate), against_equal_baseline(losses=0))
    assert verdict.outcome == "promote"
    assert any("ndcg against baseline is not assessed" in line for line in verdict.summary)


def test_guard_without_rows_holds_the_candidate() -> None:
    gate = Gate(guards=(Guard(metric="recall"), Guard(metric="refusal_correct")))
    verdict = decide(knowledge_base(gate), against_equal_baseline(losses=0))
    assert verdict.outcome == "inconclusive"


def test_baseline_without_rows_holds_the_candidate() -> None:
    evidence = retrieval(rows("candidate", "recall", values()))
    evidence = replace(evidence, made_of={**evidence.made_of, "baseline": LIVE})
    assert decide(knowledge_base(GATE), evidence).outcome == "inconclusive"


def test_leak_rejects_whatever_was_measured() -> None:
    evidence = replace(against_equal_baseline(losses=0), leaks=("q1: finance/pay.md is not for staff",))
    verdict = decide(knowledge_base(GATE), evidence)
    assert verdict.outcome == "reject"
    assert "finance/pay.md" in " ".join(verdict.summary)


def test_failed_data_quality_rejects_and_one_that_did_not_run_holds() -> None:
    evidence = against_equal_baseline(losses=0)
    assert decide(knowledge_base(GATE), replace(evidence, data_quality=False)).outcome == "reject"
    assert decide(knowledge_base(GATE), replace(evidence, data_quality=None)).outcome == "inconclusive"


def test_missing_answer_counts_against_the_candidate_on_either_side() -> None:
    mine, theirs = values(), values(base=0.0)
    mine[0], theirs[1] = None, None
    evidence = retrieval(rows("candidate", "recall", mine), rows("baseline", "recall", theirs))
    found = check(decide(knowledge_base(GATE), evidence), "guard recall against baseline")
    assert found.candidate == pytest.approx(119 / 120, abs=1e-6)
    assert found.other == pytest.approx(1 / 120, abs=1e-6)


@pytest.mark.parametrize("side", ["candidate", "baseline"])
@pytest.mark.parametrize(("missing", "outcome"), [(2, "promote"), (3, "inconclusive")])
def test_over_two_percent_missing_is_inconclusive(side: str, missing: int, outcome: str) -> None:
    scores: dict[str, list[float | None]] = {"candidate": values(), "baseline": values()}
    scores[side][:missing] = [None] * missing
    evidence = retrieval(
        rows("candidate", "recall", scores["candidate"]), rows("baseline", "recall", scores["baseline"])
    )
    assert decide(knowledge_base(GATE), evidence).outcome == outcome


def test_leaving_hard_questions_out_is_missing_and_not_a_gain() -> None:
    evidence = retrieval(rows("candidate", "recall", values()[:100]), rows("baseline", "recall", values()))
    verdict = decide(knowledge_base(GATE), evidence)
    assert verdict.outcome == "inconclusive"
    assert check(verdict, "floor recall").candidate == pytest.approx(100 / 120, abs=1e-6)


def test_many_missing_answers_are_not_taken_for_a_measured_loss() -> None:
    scores: list[float | None] = [None] * 60 + [1.0] * 60
    evidence = retrieval(rows("candidate", "recall", scores), rows("baseline", "recall", values()))
    assert decide(knowledge_base(GATE), evidence).outcome == "inconclusive"


def test_floor_is_judged_on_its_bounds() -> None:
    """Means of 0.90, 0.73 and 0.50 against a floor of 0.70, with a baseline that is no better."""
    outcomes = []
    for lost in (12, 32, 60):
        sides = [rows(side, "recall", values(lost)) for side in ("candidate", "baseline")]
        outcomes.append(check(decide(knowledge_base(GATE), retrieval(*sides)), "floor recall").outcome)
    assert outcomes == ["pass", "undecided", "fail"]


def test_first_release_is_judged_on_floors_and_says_that_there_is_no_baseline() -> None:
    evidence = retrieval(rows("candidate", "recall", values(losses=6)))
    verdict = decide(first_release(GATE), evidence)
    assert verdict.outcome == "promote"
    assert any("No baseline" in line for line in verdict.summary)


def test_policy_of_a_first_release_is_refused_where_something_is_live() -> None:
    with pytest.raises(EvidenceRefused, match="without a baseline"):
        decide(first_release(GATE), against_equal_baseline(losses=0))


def test_policy_of_another_component_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="about prompt"):
        decide(prompt(AnswerGate()), against_equal_baseline(losses=0))


def test_small_losses_that_add_up_are_caught_by_the_anchor() -> None:
    evidence = retrieval(
        rows("candidate", "recall", values(losses=26)),
        rows("baseline", "recall", values(losses=24)),
        rows("anchor", "recall", values()),
    )
    verdict = decide(knowledge_base(GATE), evidence)
    assert check(verdict, "guard recall against baseline").outcome == "pass"
    assert check(verdict, "anchor recall against anchor").outcome == "fail"
    assert verdict.outcome == "reject"


@pytest.mark.parametrize("anchor", [[], rows("anchor", "recall", [1.0] * 100 + [None] * 20)])
def test_anchor_that_could_not_be_run_holds_nobody(anchor: list[Row]) -> None:
    evidence = against_equal_baseline(losses=0)
    evidence = replace(
        evidence,
        made_of={**evidence.made_of, "anchor": {**LIVE, "prompt": "p0"}},
        rows=(*evidence.rows, *anchor),
    )
    verdict = decide(knowledge_base(GATE), evidence)
    assert check(verdict, "anchor recall against anchor").outcome == "not_assessed"
    assert verdict.outcome == "promote"


def test_slice_under_its_families_is_reported_and_never_passed() -> None:
    gate = Gate(guards=(Guard(metric="recall"),), slices=(Slice(name="hr", metric="recall"),))
    evidence = retrieval(
        rows("candidate", "recall", values()[:10], ("hr",)) + rows("candidate", "recall", values())[10:],
        rows("baseline", "recall", values()[:10], ("hr",)) + rows("baseline", "recall", values())[10:],
    )
    verdict = decide(knowledge_base(gate), evidence)
    assert check(verdict, "slice recall in hr against baseline").outcome == "not_assessed"
    assert verdict.outcome == "promote"
    assert any(line.startswith("Decides nothing: recall in hr") for line in verdict.summary)


@pytest.mark.parametrize(("required", "outcome"), [(True, "reject"), (False, "promote")])
def test_loss_in_a_slice_decides_only_where_the_slice_is_required(required: bool, outcome: str) -> None:
    """Forty questions of a slice lose eight, which 120 questions do not show at a wide margin."""
    gate = Gate(
        guards=(Guard(metric="recall", margin=0.2),),
        slices=(Slice(name="hr", metric="recall", margin=0.2, required=required),),
    )
    mine = rows("candidate", "recall", values(losses=12)[:40], ("hr",)) + rows("candidate", "recall", values())[40:]
    theirs = rows("baseline", "recall", values()[:40], ("hr",)) + rows("baseline", "recall", values())[40:]
    assert decide(knowledge_base(gate), retrieval(mine, theirs)).outcome == outcome


def answers(valid: Sequence[float | None], *extra: list[Row], live: bool = False) -> Comparison:
    measured = [
        *rows("candidate", "schema_valid", valid),
        *rows("baseline", "schema_valid", values(base=0.0)),
    ]
    for metric in ("answer_match", "citation_correct", "groundedness", "refusal_correct"):
        measured += rows("candidate", metric, values()) + rows("baseline", metric, values())
        measured += rows("live", metric, values()) if live else []
    made_of = {"candidate": {**LIVE, "adapter": "a2"}, "baseline": LIVE}
    made_of |= {"live": {**LIVE, "adapter": "a1"}} if live else {}
    return Comparison("adapter", made_of, (*measured, *(row for group in extra for row in group)), True)


def test_adapter_must_improve_its_kpi() -> None:
    policy = adapter(AnswerGate())
    assert decide(policy, answers(values(wins=100, base=0.0))).outcome == "promote"
    assert decide(policy, answers(values(wins=1, base=0.0))).outcome == "inconclusive"
    assert decide(policy, answers(values(base=0.0))).outcome == "inconclusive"


def test_kpi_that_got_worse_rejects() -> None:
    evidence = answers(values())
    swapped = [
        replace(row, value=1.0 if row.side == "baseline" else 0.0) if row.metric == "schema_valid" else row
        for row in evidence.rows
    ]
    assert decide(adapter(AnswerGate()), replace(evidence, rows=tuple(swapped))).outcome == "reject"


def test_adapter_must_not_be_worse_than_the_live_adapter() -> None:
    evidence = answers(values(wins=100, base=0.0), live=True)
    lost = {f"q{number:03}" for number in range(30)}
    worse = [
        replace(row, value=0.0) if row.metric == "answer_match" and row.side != "live" and row.question in lost else row
        for row in evidence.rows
    ]
    assert decide(adapter(AnswerGate()), evidence).outcome == "promote"
    verdict = decide(adapter(AnswerGate()), replace(evidence, rows=tuple(worse)))
    assert verdict.outcome == "reject"
    assert check(verdict, "guard answer_match against live").outcome == "fail"


@pytest.mark.parametrize("losses", [0, 9, 24])
def test_replay_of_stored_evidence_gives_the_stored_verdict(losses: int) -> None:
    policy, evidence = knowledge_base(GATE), against_equal_baseline(losses)
    verdict = decide(policy, evidence)
    stored = json.loads(json.dumps(evidence_json(policy, evidence)))
    assert replay(stored) == verdict
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_order_of_the_rows_does_not_change_the_verdict() -> None:
    policy, evidence = knowledge_base(GATE), against_equal_baseline(losses=9)
    assert decide(policy, replace(evidence, rows=evidence.rows[::-1])) == decide(policy, evidence)
