"""Promotion, rejection and holding: the outcomes of a judged candidate.

Every way to promote (a run, an approval, the command line, a page) comes through `promote`, and every check is made
inside its one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from liftgate.database import Connection, queries
from liftgate.errors import PromotionRefused
from liftgate.releases.approval import approval_needed, approval_state
from liftgate.releases.canary import CanaryState, canary_state, why_no_promotion
from liftgate.releases.index_of_release import follow_live, require_whole
from liftgate.releases.ledger import (
    Release,
    hold,
    live,
    lock_ledger,
    newest_verdict,
    record,
    release,
    require_rows,
    verdicts,
)
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

Branch = Literal["promote", "reject", "hold", "ask_for_approval", "start_canary"]
NEVER_OVERRIDDEN = ("leak", "data_quality")
WAS_LIVE = ("promoted", "rolled_back")
"""Outcomes of a release that went live, which stay when something else is live now."""


def decide(runtime: Runtime, run: Run, candidate: int, asks: bool = True, starts_canary: bool = True) -> Branch:
    """Where a judged candidate goes: its newest verdict decides, and a promotion hold keeps back even a good one.

    Where approval is configured, a good one goes live only if a person said so on that evidence, and where a canary
    is, only if that passed then. `asks`, `starts_canary`: whether the flow can ask a person, or start one; a flow that
    cannot holds the candidate back.
    """
    with runtime.database.transaction() as connection:
        branch = branch_of(connection, release(connection, run.kb, candidate))
    if (branch == "ask_for_approval" and not asks) or (branch == "start_canary" and not starts_canary):
        branch = "hold"
    print(f"Release {candidate} of {run.kb}: {branch}")
    return branch


def branch_of(connection: Connection, proposed: Release) -> Branch:
    """Where a candidate goes in a flow that can do everything."""
    judged, held = newest_verdict(connection, proposed), hold(connection, proposed.kb)
    outcome = judged["outcome"] if judged else "inconclusive"
    print(f"Release {proposed.n} was judged {outcome}" + (", promotions are on hold." if held else "."))
    branch: Branch = "reject" if outcome == "reject" else "hold"
    if judged and outcome == "promote" and not held:
        branch = _by_approval(connection, proposed, judged)
    return _by_canary(connection, proposed) if branch == "promote" else branch


def _by_approval(connection: Connection, proposed: Release, judged: dict[str, Any]) -> Branch:
    found = approval_state(connection, proposed.kb, proposed.component, proposed.n, judged["evaluation_id"])
    if found == "not_needed":
        return "promote"
    print(f"A person's approval of release {proposed.n}: {found.replace('_', ' ')}.")
    answered: dict[str, Branch] = {"promote": "promote", "reject": "reject", "not_asked": "ask_for_approval"}
    return answered.get(found, "hold")


def _by_canary(connection: Connection, proposed: Release) -> Branch:
    found = canary_state(connection, proposed)
    if found != "not_needed":
        print(f"The canary of release {proposed.n}: {found.replace('_', ' ')}.")
    # To start one again that is overdue makes the run that judges it, should that be missing.
    starts: dict[CanaryState, Branch] = {"not_started": "start_canary", "overdue": "start_canary"}
    keeps: dict[CanaryState, Branch] = {"waits": "hold", "running": "hold", "inconclusive": "hold", "failed": "reject"}
    return {**starts, **keeps}.get(found, "promote")


def promote(
    runtime: Runtime, kb: str, n: int, *, by: str, run_id: str, why: str = ""
) -> Literal["promoted", "superseded"]:
    """Make a release live, if the ledger allows it. Repeated by the same run, it succeeds and changes nothing.

    A candidate whose parent is no longer live becomes `superseded`: it was judged against something else.
    Raises PromotionRefused on a hold, without a verdict `promote` or an override, without the approval or the canary
    that is configured, or where its rows are pruned, and IndexDiffers where an index server has other rows than the
    manifest.
    """
    require_whole(runtime, kb, n)
    outcome = _promote(runtime, kb, n, by, run_id, why)
    if outcome == "promoted":
        follow_live(runtime, kb)
        print(f"Release {n} of {kb} is live.")
    return outcome


def _promote(runtime: Runtime, kb: str, n: int, by: str, run_id: str, why: str) -> Literal["promoted", "superseded"]:
    with runtime.database.transaction() as connection:
        lock_ledger(connection, kb)
        candidate, current = release(connection, kb, n), live(connection, kb)
        if current and current.n == n:
            return "promoted"
        if not may_follow(connection, candidate, current, by, run_id):
            return "superseded"
        if not require_allowed(connection, candidate):
            _require_canary(connection, candidate)
        record(connection, kb, "promoted", by=by, run_id=run_id, release=n, why=why)
    return "promoted"


def may_follow(connection: Connection, candidate: Release, current: Release | None, by: str, run_id: str) -> bool:
    """Whether a candidate was judged against what is live, and no newer one came. If not, it becomes superseded."""
    n, kb, now = candidate.n, candidate.kb, current.n if current else None
    if candidate.parent != now:
        why = f"judged against release {candidate.parent}, while {now if current else 'nothing'} is live"
        if candidate.outcome not in ("superseded", *WAS_LIVE):
            record(connection, kb, "superseded", by=by, run_id=run_id, release=n, why=why)
        print(f"Release {n} of {kb} is superseded: {why}. The next run builds on what is live.")
        return False
    if _is_overtaken(connection, candidate):
        print(f"Release {n} of {kb} is superseded by a newer candidate: its approval does not count any more.")
        return False
    return True


def require_allowed(connection: Connection, candidate: Release) -> bool:
    """Refuse what the ledger does not allow. Returns whether a person answers for it, so that no canary is needed."""
    overridden = _require_verdict(connection, candidate)
    require_rows(connection, candidate)
    return overridden


def reject(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record the rejection, with the sentence that decided. What is live stays live."""
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        record_end(connection, release(connection, run.kb, candidate), "rejected", by=run.run_id, run_id=run.run_id)


def hold_back(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record that the candidate waits: for evidence, or for the promotion hold to be lifted."""
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        record_end(connection, release(connection, run.kb, candidate), "held", by=run.run_id, run_id=run.run_id)


def override(runtime: Runtime, kb: str, n: int, *, by: str, run_id: str, why: str) -> None:
    """Let a person answer for a candidate that the gate did not promote. Never over a leak or failed data quality."""
    if not why.strip():
        raise PromotionRefused("Expected a reason for the override, found none. Say why.")
    with runtime.database.transaction() as connection:
        lock_ledger(connection, kb)
        judged = newest_verdict(connection, release(connection, kb, n))
        if judged is None:
            raise PromotionRefused(f"Expected release {n} of {kb} to have a verdict, found none. Let it be judged.")
        bad = [
            c["sentence"]
            for c in judged["verdict"]["checks"]
            if c["kind"] in NEVER_OVERRIDDEN and c["outcome"] == "fail"
        ]
        if bad:
            raise PromotionRefused(
                f"Expected nothing that must never go live, found: {' '.join(bad)} Mend it; no override passes this."
            )
        record(connection, kb, "overridden", by=by, run_id=run_id, release=n, why=why)


def _require_verdict(connection: Connection, candidate: Release) -> bool:
    """Refuse on a hold, and without a verdict or override that is newer than a serious rollback away from it.

    Returns whether it is an override that counts.
    """
    if held := hold(connection, candidate.kb):
        raise PromotionRefused(
            f"Expected no hold on promotions of {candidate.kb}, found one since {held.since:%Y-%m-%d %H:%M} by "
            f"{held.by_whom}: {held.why}. `liftgate releases resume {candidate.kb}` lifts it."
        )
    fled = queries().rolled_back_from(connection, kb=candidate.kb, candidate_fingerprint=candidate.fingerprint)
    overrides = queries().events_of_release(connection, kb=candidate.kb, n=candidate.n, kinds=["overridden"])
    if any(fled is None or event["n"] > fled["n"] for event in overrides):
        return True
    judged = newest_verdict(connection, candidate)
    if judged is None or judged["outcome"] != "promote":
        raise PromotionRefused(
            f"Expected a verdict `promote` on release {candidate.n} of {candidate.kb}, found "
            f"{judged['outcome'] if judged else 'none'}. Add evidence and run again, or override with a reason."
        )
    _require_approval(connection, candidate, judged)
    if fled and not _has_new_evidence(connection, candidate, judged, fled):
        raise PromotionRefused(
            f"Expected evidence added since release {candidate.n} was rolled back for reasons of "
            f"{fled['details']['kind']} ({fled['why']}), found none. Add golden questions that show it and run again, "
            "or override with a reason."
        )
    return False


def _is_overtaken(connection: Connection, candidate: Release) -> bool:
    """Whether a newer candidate came after a person's approval. Without approvals, whoever is ready first goes live."""
    if approval_needed(connection, candidate.kb, candidate.component) is None:
        return False
    kinds = ["approved", "overridden", "superseded"]
    newest = next(queries().events_of_release(connection, kb=candidate.kb, n=candidate.n, kinds=kinds), None)
    return newest is not None and newest["kind"] == "superseded"


def _require_approval(connection: Connection, candidate: Release, judged: dict[str, Any]) -> None:
    found = approval_state(connection, candidate.kb, candidate.component, candidate.n, judged["evaluation_id"])
    if found not in ("not_needed", "promote"):
        raise PromotionRefused(
            f"Expected a person's approval of release {candidate.n} of {candidate.kb}, found: "
            f"{found.replace('_', ' ')}. Answer in approve_{candidate.kb}, or override with a reason."
        )


def _require_canary(connection: Connection, candidate: Release) -> None:
    if found := why_no_promotion(connection, candidate):
        raise PromotionRefused(
            f"Expected a passed canary of the adapter of release {candidate.n} of {candidate.kb}, found: {found} "
            f"Let {candidate.run_id.partition(':')[0]} start one and wait for its end, or override with a reason."
        )


def _has_new_evidence(connection: Connection, candidate: Release, judged: dict[str, Any], fled: dict[str, Any]) -> bool:
    """Whether the newest verdict came after the rollback, on questions that no verdict before it knew."""
    before = {v["questions"] for v in verdicts(connection, candidate) if v["decided_at"] <= fled["at"]}
    return judged["decided_at"] > fled["at"] and judged["questions"] not in before


def record_end(
    connection: Connection, candidate: Release, outcome: Literal["rejected", "held"], *, by: str, run_id: str
) -> None:
    """Record it with the sentence that decided, unless it is so already. The caller holds the ledger's lock."""
    kb, n = candidate.kb, candidate.n
    held, judged = hold(connection, kb), newest_verdict(connection, candidate)
    why = judged["verdict"]["summary"][0] if judged else "not judged"
    if outcome == "held" and held and judged and judged["outcome"] == "promote":
        why = f"judged promote, but promotions are on hold: {held.why}"
    elif judged and judged["outcome"] == "promote":
        why = _said_by_canary(connection, candidate, outcome) or why
    if candidate.outcome != outcome:
        record(connection, kb, outcome, by=by, run_id=run_id, release=n, why=why)
    print(f"Release {n} of {kb} is {outcome}: {why}")


def _said_by_canary(connection: Connection, candidate: Release, outcome: str) -> str | None:
    """Why a candidate ends so that the gate and a person would let go live; None: its canary has no part in it."""
    ends = {"failed": "rejected", **dict.fromkeys(("waits", "running", "overdue", "inconclusive"), "held")}
    if ends.get(canary_state(connection, candidate)) != outcome:
        return None
    return f"canary: {why_no_promotion(connection, candidate)}"
