"""Each condition of a policy, from rows to a check with its bounds, its power and a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from liftgate.evaluation.evidence import Comparison
from liftgate.gate.pairing import Pairs, missing_share, pair
from liftgate.gate.policy import Limit, Policy
from liftgate.gate.statistics import (
    Bounds,
    cluster_bounds,
    decided_margin,
    families_needed,
    questions_needed,
)
from liftgate.gate.verdict import Check, CheckKind, CheckOutcome, Counts
from liftgate.gate.wording import assessed_sentence, unassessed_sentence

DIGITS = 6
"""Bounds are rounded before they are judged, so that a replay under another numpy gives the same verdict."""

Judge = Callable[[Bounds], tuple[CheckOutcome, float]]
"""Bounds to an outcome, and the distance to the nearest line where it would be decided."""


def floor_check(evidence: Comparison, metric: str, floor: float) -> Check:
    """The lower bound of the candidate's mean must reach the floor."""
    pairs = pair(evidence.rows, metric, "baseline")
    blank = Check(f"floor {metric}", "floor", "not_assessed", "", metric=metric, threshold=floor)
    if not any(value is not None for value in pairs.candidate):
        return _unassessed(blank, pairs, 0)
    bounds = _rounded(cluster_bounds(pairs.candidate_values, pairs.families, worst=0.0))
    return _assessed(blank, pairs, bounds, families_needed(1 - floor), lambda b: _judge_floor(b, floor))


def guard_check(evidence: Comparison, limit: Limit, against: str) -> Check:
    """The lower bound of the difference must lie above -margin."""
    kind: CheckKind = "slice" if limit.slice else "anchor" if against == "anchor" else "guard"
    place = f" in {limit.slice}" if limit.slice else ""
    blank = Check(
        f"{kind} {limit.metric}{place} against {against}",
        kind,
        "not_assessed",
        "",
        counts=_counts(kind, limit),
        metric=limit.metric,
        against=against,
        slice=limit.slice,
        threshold=-limit.margin,
    )
    pairs = pair(evidence.rows, limit.metric, against, limit.slice)
    return _compared(blank, pairs, families_needed(limit.margin), lambda b: _judge_guard(b, limit.margin))


def anchor_check(evidence: Comparison, limit: Limit, max_missing_share: float) -> Check:
    """A guard against the anchor; not assessed where the anchor could not be run on all questions."""
    check = guard_check(evidence, limit, "anchor")
    pairs = pair(evidence.rows, limit.metric, "anchor")
    if check.outcome == "not_assessed" or missing_share(pairs.other) <= max_missing_share:
        return check
    return _unassessed(replace(check, outcome="not_assessed", questions_needed=None), pairs, 0)


def kpi_check(evidence: Comparison, metric: str) -> Check:
    """The lower bound of the difference must lie above 0, which takes six families at least."""
    blank = Check(f"kpi {metric}", "kpi", "not_assessed", "", metric=metric, against="baseline", threshold=0.0)
    return _compared(blank, pair(evidence.rows, metric, "baseline"), 2, _judge_kpi)


def leak_check(evidence: Comparison) -> Check:
    """Nothing may be retrieved for somebody who may not read it, and nothing of a deleted document."""
    count = len(evidence.leaks)
    if not count:
        return Check("leaks", "leak", "pass", "No chunk was retrieved that must not have been.")
    shown = ", ".join(evidence.leaks[:5]) + (", ..." if count > 5 else "")
    return Check("leaks", "leak", "fail", f"{count} chunks were retrieved that must not have been: {shown}.")


def data_quality_check(evidence: Comparison, policy: Policy) -> Check:
    """The expectation suite must have passed, where the kind of candidate has one."""
    if evidence.data_quality is False:
        return Check("data quality", "data_quality", "fail", "The expectation suite failed.")
    if evidence.data_quality:
        return Check("data quality", "data_quality", "pass", "The expectation suite passed.")
    if policy.needs_data_quality:
        sentence = "The expectation suite was not run. Run it, and judge again."
        return Check("data quality", "data_quality", "undecided", sentence)
    sentence = f"A {policy.component} has no expectation suite."
    return Check("data quality", "data_quality", "not_assessed", sentence, counts="never")


def missing_check(evidence: Comparison, side: str, metrics: Sequence[str], limit: float) -> Check:
    """No metric may lack more than the allowed share of a side's answers."""
    other = "baseline" if side == "candidate" else side
    shares = {}
    for metric in metrics:
        pairs = pair(evidence.rows, metric, other)
        shares[metric] = missing_share(pairs.candidate if side == "candidate" else pairs.other)
    worst = max(shares, key=lambda name: shares[name], default="")
    share = round(shares.get(worst, 0.0), DIGITS)
    sentence = f"{share:.1%} of the {side}'s answers are missing"
    sentence += f" ({worst}); at most {limit:.1%} may be." if share else "."
    outcome: CheckOutcome = "undecided" if share > limit else "pass"
    return Check(f"missing {side}", "missing", outcome, sentence, metric=worst or None, estimate=share, threshold=limit)


def _counts(kind: CheckKind, limit: Limit) -> Counts:
    if kind == "slice":
        return "always" if limit.required else "never"
    return "always" if limit.required and kind == "guard" else "if_assessed"


def _compared(blank: Check, pairs: Pairs, families: int, judge: Judge) -> Check:
    if not pairs.comparable:
        return _unassessed(blank, pairs, 0)
    return _assessed(blank, pairs, _rounded(cluster_bounds(pairs.differences, pairs.families)), families, judge)


def _judge_guard(bounds: Bounds, margin: float) -> tuple[CheckOutcome, float]:
    distance = max(bounds.estimate + margin, -bounds.estimate)
    if bounds.lower > -margin:
        return "pass", distance
    return ("fail" if bounds.upper < 0 else "undecided"), distance


def _judge_kpi(bounds: Bounds) -> tuple[CheckOutcome, float]:
    if bounds.lower > 0:
        return "pass", bounds.estimate
    return ("fail" if bounds.upper <= 0 else "undecided"), abs(bounds.estimate)


def _judge_floor(bounds: Bounds, floor: float) -> tuple[CheckOutcome, float]:
    if bounds.lower >= floor:
        return "pass", bounds.estimate - floor
    return ("fail" if bounds.upper < floor else "undecided"), abs(bounds.estimate - floor)


def _assessed(blank: Check, pairs: Pairs, bounds: Bounds, families: int, judge: Judge) -> Check:
    """The check with its bounds filled in; under the smallest number of families they decide nothing."""
    measured = replace(
        blank,
        candidate=_mean(pairs.candidate_values),
        other=None if blank.kind == "floor" else _mean(pairs.other_values),
        estimate=bounds.estimate,
        lower=bounds.lower,
        upper=bounds.upper,
        questions=bounds.questions,
        families=bounds.families,
        decided_margin=round(decided_margin(bounds), DIGITS),
    )
    if bounds.families < families:
        return _unassessed(measured, pairs, families)
    outcome, distance = judge(bounds)
    needed = questions_needed(bounds, distance) if outcome == "undecided" else None
    judged = replace(measured, outcome=outcome, questions_needed=needed)
    return replace(judged, sentence=assessed_sentence(judged))


def _unassessed(check: Check, pairs: Pairs, families: int) -> Check:
    """A check that says why nothing was decided, and how many families it would take."""
    questions, present = len(pairs.families), len(set(pairs.families))
    needed = math.ceil(questions * families / present) if families and present else None
    counted = replace(check, questions=questions, families=present, questions_needed=needed)
    return replace(counted, sentence=unassessed_sentence(counted, families))


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), DIGITS)


def _rounded(bounds: Bounds) -> Bounds:
    return replace(
        bounds,
        estimate=round(bounds.estimate, DIGITS),
        lower=round(bounds.lower, DIGITS),
        upper=round(bounds.upper, DIGITS),
    )
