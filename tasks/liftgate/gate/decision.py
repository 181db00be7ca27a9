"""Evidence to verdict."""

from __future__ import annotations

from collections.abc import Sequence

from liftgate.errors import EvidenceRefused
from liftgate.evaluation.evidence import Comparison
from liftgate.gate.checks import (
    anchor_check,
    data_quality_check,
    floor_check,
    guard_check,
    kpi_check,
    leak_check,
    missing_check,
)
from liftgate.gate.policy import Policy
from liftgate.gate.verdict import Check, Outcome, Verdict
from liftgate.gate.wording import summarise


def decide(policy: Policy, evidence: Comparison) -> Verdict:
    """The verdict on a candidate, from its evidence alone: the same evidence always gives the same verdict.

    promote: all that counts is shown. reject: something that counts is shown to be missed.
    Otherwise inconclusive, and the summary names what is missing.
    """
    _require_matching(policy, evidence)
    checks = (leak_check(evidence), data_quality_check(evidence, policy), *_measured_checks(policy, evidence))
    outcome = _outcome(checks)
    return Verdict(
        outcome=outcome,
        policy=policy.kind,
        component=evidence.component,
        checks=checks,
        summary=summarise(outcome, policy.kind, checks),
        notes=(*evidence.notes, *evidence.set_aside),
    )


def _measured_checks(policy: Policy, evidence: Comparison) -> list[Check]:
    checks = [floor_check(evidence, metric, floor) for metric, floor in sorted(policy.floors.items())]
    for side, metrics in _needed_of(policy, evidence).items():
        checks.append(missing_check(evidence, side, metrics, policy.max_missing_share))
    if policy.kind == "first":
        return checks
    checks += [kpi_check(evidence, policy.kpi)] if policy.kpi else []
    for side in _references(evidence):
        checks += [guard_check(evidence, limit, side) for limit in policy.guards]
    if "anchor" in evidence.made_of:
        checks += [anchor_check(evidence, limit, policy.max_missing_share) for limit in policy.guards]
    return checks + [guard_check(evidence, limit, "baseline") for limit in policy.slices]


def _outcome(checks: Sequence[Check]) -> Outcome:
    """Missing answers come before measured losses: an answer that never came shows no quality."""
    if any(check.rejects for check in checks if check.kind in ("leak", "data_quality")):
        return "reject"
    if any(check.holds for check in checks if check.kind == "missing"):
        return "inconclusive"
    if any(check.rejects for check in checks):
        return "reject"
    return "inconclusive" if any(check.holds for check in checks) else "promote"


def _references(evidence: Comparison) -> list[str]:
    """The baseline always: if it has no rows, its guards are not assessed and hold the candidate."""
    return ["baseline", "live"] if "live" in evidence.made_of else ["baseline"]


def _needed_of(policy: Policy, evidence: Comparison) -> dict[str, list[str]]:
    """The metrics that each side must have. What an anchor lacks makes its own check unassessed instead."""
    guards = [guard.metric for guard in policy.guards]
    compared = guards + ([policy.kpi] if policy.kpi else [])
    needed = {"candidate": compared + list(policy.floors), "baseline": compared, "live": guards}
    return {side: list(dict.fromkeys(metrics)) for side, metrics in needed.items() if side in evidence.made_of}


def _require_matching(policy: Policy, evidence: Comparison) -> None:
    if policy.component != evidence.component:
        raise EvidenceRefused(
            f"Expected evidence about {policy.component} for the policy {policy.kind!r}, found "
            f"{evidence.component}. Choose the policy of the component under test."
        )
    if policy.kind == "first" and set(evidence.made_of) != {"candidate"}:
        raise EvidenceRefused(
            f"Expected a first release without a baseline, found {', '.join(sorted(evidence.made_of))}. "
            "Where something is live, judge by the policy of the component under test."
        )
    strangers = sorted({row.side for row in evidence.rows} - set(evidence.made_of))
    if strangers:
        raise EvidenceRefused(
            f"Expected rows only of sides that made_of describes, found {', '.join(strangers)}. "
            "Say what that side is made of."
        )
