"""Promotion, rejection and holding: the outcomes of a judged candidate.

Every way to promote (a run, an approval, the command line, a page) comes through `promote`, and every check is made
inside its one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from liftgate.database import Connection, queries
from liftgate.errors import PromotionRefused
from liftgate.releases.approval import approval_needed, approval_state
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

Branch = Literal["promote", "reject", "hold", "ask_for_approval"]
NEVER_OVERRIDDEN = ("leak", "data_quality")
WAS_LIVE = ("promoted", "rolled_back")
"""Outcomes of a release that went live, which stay when something else is live now."""


def decide(runtime: Runtime, run: Run, candidate: int, asks: bool = True) -> Branch:
    """Where a judged candidate goes: its newest verdict decides, and a promotion hold keeps back even a good one.

    Where approval is configured, a good one goes live only if a person said so on that evidence. `asks`: whether the
    flow can ask a person; one that cannot holds the candidate back.
    """
    with runtime.database.transaction() as connection:
        proposed = release(connection, run.kb, candidate)
        judged, held = newest_verdict(connection, proposed), hold(connection, run.kb)
        outcome = judged["outcome"] if judged else "inconclusive"
        branch: Branch = "reject" if outcome == "reject" else "hold"
        if judged and outcome == "promote" and not held:
            branch = _by_approval(connection, proposed, judged)
        if branch == "ask_for_approval" and not asks:
            branch = "hold"
    print(f"Release {candidate} was judged {outcome}" + (", promotions are on hold" if held else "") + f": {branch}")
    return branch


def _by_approval(connection: Connection, proposed: Release, judged: dict[str, Any]) -> Branch:
    found = approval_state(connection, proposed.kb, proposed.component, proposed.n, judged["evaluation_id"])
    if found == "not_needed":
        return "promote"
    print(f"A person's approval of release {proposed.n}: {found.replace('_', ' ')}.")
    answered: dict[str, Branch] = {"promote": "promote", "reject": "reject", "not_asked": "ask_for_approval"}
    return answered.get(found, "hold")


def promote(
    runtime: Runtime, kb: str, n: int, *, by: str, run_id: str, why: str = ""
) -> Literal["promoted", "superseded"]:
    """Make a release live, if the ledger allows it. Repeated by the same run, it succeeds and changes nothing.

    A candidate whose parent is no longer live becomes `superseded`: it was judged against something else.
    Raises PromotionRefused on a hold, without a verdict `promote` or an override, or where its rows are pruned, and
    IndexDiffers where an index server has other rows than the manifest.
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
        if candidate.parent != (current.n if current else None):
            why = f"judged against release {candidate.parent}, while {current.n if current else 'nothing'} is live"
            if candidate.outcome not in ("superseded", *WAS_LIVE):
                record(connection, kb, "superseded", by=by, run_id=run_id, release=n, why=why)
            print(f"Release {n} of {kb} is superseded: {why}. The next run builds on what is live.")
            return "superseded"
        if _is_overtaken(connection, candidate):
            print(f"Release {n} of {kb} is superseded by a newer candidate: its approval does not count any more.")
            return "superseded"
        _require_allowed(connection, candidate)
        require_rows(connection, candidate)
        record(connection, kb, "promoted", by=by, run_id=run_id, release=n, why=why)
    return "promoted"


def reject(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record the rejection, with the sentence that decided. What is live stays live."""
    _end(runtime, run, candidate, "rejected")


def hold_back(runtime: Runtime, run: Run, candidate: int) -> None:
    """Record that the candidate waits: for evidence, or for the promotion hold to be lifted."""
    _end(runtime, run, candidate, "held")


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


def _require_allowed(connection: Connection, candidate: Release) -> None:
    """Refuse on a hold, and without a verdict or override that is newer than a serious rollback away from it."""
    if held := hold(connection, candidate.kb):
        raise PromotionRefused(
            f"Expected no hold on promotions of {candidate.kb}, found one since {held.since:%Y-%m-%d %H:%M} by "
            f"{held.by_whom}: {held.why}. `liftgate releases resume {candidate.kb}` lifts it."
        )
    fled = queries().rolled_back_from(connection, kb=candidate.kb, candidate_fingerprint=candidate.fingerprint)
    overrides = queries().events_of_release(connection, kb=candidate.kb, n=candidate.n, kinds=["overridden"])
    if any(fled is None or event["n"] > fled["n"] for event in overrides):
        return
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


def _has_new_evidence(connection: Connection, candidate: Release, judged: dict[str, Any], fled: dict[str, Any]) -> bool:
    """Whether the newest verdict came after the rollback, on questions that no verdict before it knew."""
    before = {v["questions"] for v in verdicts(connection, candidate) if v["decided_at"] <= fled["at"]}
    return judged["decided_at"] > fled["at"] and judged["questions"] not in before


def _end(runtime: Runtime, run: Run, n: int, outcome: str) -> None:
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        candidate = release(connection, run.kb, n)
        held, judged = hold(connection, run.kb), newest_verdict(connection, candidate)
        why = judged["verdict"]["summary"][0] if judged else "not judged"
        if outcome == "held" and held and judged and judged["outcome"] == "promote":
            why = f"judged promote, but promotions are on hold: {held.why}"
        if candidate.outcome != outcome:
            record(connection, run.kb, outcome, by=run.run_id, run_id=run.run_id, release=n, why=why)
    print(f"Release {n} of {run.kb} is {outcome}: {why}")
