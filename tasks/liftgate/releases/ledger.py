"""The ledger: releases, verdicts and events, of which nothing is ever changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liftgate.database import Connection, lock, queries
from liftgate.errors import PromotionRefused
from liftgate.fingerprints import canonical_json
from liftgate.releases.makeup import Makeup


@dataclass(frozen=True)
class Release:
    """A release, whatever became of it. `parent` is what was live when it was proposed."""

    kb: str
    n: int
    component: str
    makeup: Makeup
    fingerprint: str
    parent: int | None
    run_id: str
    unjudged: bool
    created_at: datetime
    outcome: str | None
    """Its last outcome: promoted, rejected, held, superseded, rolled_back, or None while it is open."""


@dataclass(frozen=True)
class Hold:
    """Nothing is promoted until somebody resumes."""

    since: datetime
    by_whom: str
    why: str


def lock_ledger(connection: Connection, kb: str) -> None:
    """One writer at a time, until the transaction ends; the number of an event is its order."""
    lock(connection, "ledger", kb)


def record(
    connection: Connection,
    kb: str,
    kind: str,
    *,
    by: str,
    run_id: str,
    release: int | None = None,
    why: str = "",
    details: dict[str, Any] | None = None,
) -> int:
    """Append an event and return its number. The caller holds the ledger's lock."""
    n: int = queries().add_event(
        connection,
        kb=kb,
        kind=kind,
        release=release,
        details=canonical_json(details or {}),
        by_whom=by,
        run_id=run_id,
        why=why,
    )
    return n


def live(connection: Connection, kb: str) -> Release | None:
    """The release that is live."""
    n = queries().live_release(connection, kb=kb)
    return release(connection, kb, n) if n is not None else None


def release(connection: Connection, kb: str, n: int) -> Release:
    """One release. Raises PromotionRefused if there is none of that number."""
    row = queries().release(connection, kb=kb, n=n)
    if row is None:
        raise PromotionRefused(f"Expected release {n} of {kb}, found none. `liftgate releases list` shows them.")
    return Release(**{**row, "makeup": Makeup.model_validate(row["makeup"])})


def releases(connection: Connection, kb: str) -> list[Release]:
    """Every release, oldest first."""
    return [
        Release(**{**row, "makeup": Makeup.model_validate(row["makeup"])})
        for row in queries().releases(connection, kb=kb)
    ]


def verdicts(connection: Connection, of: Release) -> list[dict[str, Any]]:
    """Every verdict on a candidate, the one that was reached last first."""
    return list(queries().verdicts_of(connection, kb=of.kb, candidate_fingerprint=of.fingerprint))


def newest_verdict(connection: Connection, of: Release) -> dict[str, Any] | None:
    """The verdict that decides."""
    return next(iter(verdicts(connection, of)), None)


def require_rows(connection: Connection, one: Release) -> None:
    """Refuse to make a release live whose rows have been deleted."""
    if queries().is_pruned(connection, kb=one.kb, generation=one.makeup.retrieval.generation):
        raise PromotionRefused(
            f"Expected the rows of release {one.n} of {one.kb} to be kept, found that they are pruned. Choose a newer "
            "one, or raise retention.keep_releases for the next time."
        )


def hold(connection: Connection, kb: str) -> Hold | None:
    """The promotion hold, if one is set."""
    row = queries().promotion_hold(connection, kb=kb)
    return Hold(**row) if row else None
