"""Undoing is one step: what is live becomes an earlier release again, and stays that until somebody resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from liftgate.database import Connection, queries
from liftgate.errors import PromotionRefused
from liftgate.releases.index_of_release import follow_live
from liftgate.releases.ledger import Release, hold, live, lock_ledger, record, release, require_rows
from liftgate.releases.makeup import Makeup

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

Kind = Literal["drill", "operational", "quality", "legal"]
"""What it takes to go forward again: after a drill or an operational rollback the old verdict stands; after one for
quality or legal reasons, evidence added since, or an override."""

Part = Literal["retrieval", "prompt", "adapter"]


def roll_back(
    runtime: Runtime, kb: str, to: int, *, kind: Kind, why: str, by: str, run_id: str, part: Part | None = None
) -> int:
    """Make an earlier release live and hold promotions. Returns the number of the release that is live now.

    With `part`, only that component goes back: that makes a new release, marked unjudged, for `judge_release` to judge
    at once. Repeated by the same run, it succeeds and changes nothing. Raises PromotionRefused if the release was
    never live, its rows are pruned, or nothing would change.
    """
    if not why.strip():
        raise PromotionRefused("Expected a reason for the rollback, found none. Say why.")
    n = _roll_back(runtime, kb, to, kind, why, by, run_id, part)
    print(f"Release {n} of {kb} is live. Promotions are on hold: `liftgate releases resume {kb}` lifts that.")
    follow_live(runtime, kb)
    return n


def _roll_back(
    runtime: Runtime, kb: str, to: int, kind: Kind, why: str, by: str, run_id: str, part: Part | None
) -> int:
    with runtime.database.transaction() as connection:
        lock_ledger(connection, kb)
        current = live(connection, kb)
        last = queries().last_event_of(connection, kb=kb, kinds=["promoted", "rolled_back"])
        if current is None or last is None:
            raise PromotionRefused(f"Expected something live in {kb} to roll back from, found nothing.")
        if last["kind"] == "rolled_back" and last["run_id"] == run_id:
            return current.n
        target = _require_kept(connection, kb, to, part)
        makeup = target.makeup if part is None else _mixed(current, target, part)
        _require_difference(current, target, makeup)
        n = to if part is None else _add(connection, current, part, makeup, run_id)
        _record(connection, current, n, kind, why, by, run_id)
    return n


def resume(runtime: Runtime, kb: str, *, by: str, run_id: str, why: str = "") -> bool:
    """Lift the hold on promotions. Returns whether there was one."""
    with runtime.database.transaction() as connection:
        lock_ledger(connection, kb)
        if hold(connection, kb) is None:
            return False
        record(connection, kb, "hold_lifted", by=by, run_id=run_id, why=why)
    print(f"Promotions of {kb} go on. The next run carries out what was held.")
    return True


def _require_kept(connection: Connection, kb: str, n: int, part: Part | None) -> Release:
    target = release(connection, kb, n)
    if not queries().was_live(connection, kb=kb, n=n):
        raise PromotionRefused(
            f"Expected a release of {kb} that was live, found release {n}, which never was. "
            "`liftgate releases list` shows which were."
        )
    if part in (None, "retrieval"):
        require_rows(connection, target)
    return target


def _mixed(current: Release, target: Release, part: Part) -> Makeup:
    """What is live, with one component of an earlier release."""
    taken = {"retrieval": ("retrieval",), "prompt": ("prompt",), "adapter": ("base", "adapter")}[part]
    return current.makeup.model_copy(update={name: getattr(target.makeup, name) for name in taken})


def _require_difference(current: Release, target: Release, makeup: Makeup) -> None:
    """Refuse to leave a release for what equals it: a rollback for its quality would blame what stays live."""
    if makeup.fingerprint == current.fingerprint:
        raise PromotionRefused(
            f"Expected something else than what is live in {current.kb}, found that release {target.n} holds what "
            f"release {current.n} holds, which is live. `liftgate releases list {current.kb}` shows the others."
        )


def _add(connection: Connection, current: Release, part: Part, makeup: Makeup, run_id: str) -> int:
    n: int = queries().add_release(
        connection,
        kb=current.kb,
        component=part,
        makeup=makeup.model_dump_json(),
        fingerprint=makeup.fingerprint,
        parent=current.n,
        run_id=run_id,
        unjudged=True,
    )
    return n


def _record(connection: Connection, current: Release, n: int, kind: Kind, why: str, by: str, run_id: str) -> None:
    details = {"from": current.n, "kind": kind}
    record(connection, current.kb, "rolled_back", by=by, run_id=run_id, release=n, why=why, details=details)
    reason = f"rolled back from release {current.n}: {why}"
    record(connection, current.kb, "hold_set", by=by, run_id=run_id, why=reason, details={"kind": kind})
