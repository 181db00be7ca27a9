"""The sentences of a verdict. Everything in them is also a number of a check."""

from __future__ import annotations

from collections.abc import Sequence

from liftgate.gate.verdict import Check, Outcome

WORDS = {"pass": "shown", "fail": "missed", "undecided": "not decided"}
ALLOWING = ("guard", "anchor", "slice")
"""Kinds of check that tolerate a loss up to a margin."""


def assessed_sentence(check: Check) -> str:
    """Example: "recall 0.812 against 0.830 of baseline: difference -0.018 (95 % bounds -0.061 and +0.025),
    needed above -0.100: shown. Power: 170 questions in 72 families decide a margin of 0.085 at 80 %."
    """
    place = f" in {check.slice}" if check.slice else ""
    subject = f"{check.metric}{place} {check.candidate:.3f}"
    if check.kind == "floor":
        claim = f"{subject} (95 % bounds {check.lower:.3f} and {check.upper:.3f}), needed {check.threshold:.3f}"
    else:
        claim = (
            f"{subject} against {check.other:.3f} of {check.against}: difference {check.estimate:+.3f} "
            f"(95 % bounds {check.lower:+.3f} and {check.upper:+.3f}), needed above {check.threshold:+.3f}"
        )
    power = (
        f"Power: {check.questions} questions in {check.families} families decide a margin of "
        f"{check.decided_margin:.3f} at 80 %."
    )
    return f"{claim}: {WORDS[check.outcome]}. {power}{_needed(check)}"


def unassessed_sentence(check: Check, families: int) -> str:
    """Example: "recall against baseline is not assessed: 20 questions in 18 families; at least 29 ..."."""
    place = f" in {check.slice}" if check.slice else ""
    against = f" against {check.against}" if check.against else ""
    subject = f"{check.metric}{place}{against} is not assessed"
    if families:
        found = f"{check.questions} questions in {check.families} families"
        return f"{subject}: {found}; at least {families} families are needed.{_needed(check)}"
    return f"{subject}: a side has no answers, or too few. Evaluate both sides on the same questions."


def summarise(outcome: Outcome, policy: str, checks: Sequence[Check]) -> tuple[str, ...]:
    """The outcome, the power, each check that brought the outcome about, and what was not assessed."""
    lines = [_headline(outcome, checks)]
    if policy == "first":
        lines.append("No baseline: nothing is live yet, so the release was judged on its floors.")
    lines += _power(checks)
    if outcome == "reject":
        lines += [check.sentence for check in checks if check.rejects]
    if outcome == "inconclusive":
        lines += [check.sentence for check in checks if check.holds]
    lines += [f"Decides nothing: {check.sentence}" for check in checks if _only_shown(check)]
    return tuple(lines)


def _power(checks: Sequence[Check]) -> list[str]:
    """Example: "Margins that these questions decide at 80 %: guard recall against live 0.068 (of 0.100)."."""
    named = [
        f"{check.name} {check.decided_margin:.3f}" + (f" (of {-check.threshold:.3f})" if check.kind in ALLOWING else "")
        for check in checks
        if check.decided_margin is not None and check.threshold is not None
    ]
    return [f"Margins that these questions decide at 80 %: {', '.join(named)}."] if named else []


def _only_shown(check: Check) -> bool:
    """Slices that do not count, and guards and anchors that could not be assessed and hold nobody."""
    if check.metric is None or check.kind == "missing" or check.holds or check.rejects:
        return False
    return check.counts == "never" or check.outcome == "not_assessed"


def _headline(outcome: Outcome, checks: Sequence[Check]) -> str:
    if outcome == "promote":
        shown = [check.name for check in checks if check.outcome == "pass" and check.counts != "never"]
        return f"Promote: {', '.join(shown)} hold."
    if outcome == "reject":
        return f"Reject: {', '.join(check.name for check in checks if check.rejects)}."
    held = [check for check in checks if check.holds]
    numbers = [check.questions_needed for check in held if check.questions_needed]
    missing = f" It takes about {max(numbers)} questions in all." if numbers else ""
    return f"Inconclusive: {', '.join(check.name for check in held)} not decided.{missing}"


def _needed(check: Check) -> str:
    if check.outcome == "pass" or check.outcome == "fail":
        return ""
    if check.questions_needed is None:
        return " No number of questions can be named: the estimate stands on the line."
    more = max(0, check.questions_needed - check.questions)
    return f" Missing: about {more} questions more ({check.questions_needed} in all)."
