"""The ledger's events, all of them or those that somebody looks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liftgate.database import Connection, queries

KINDS = (
    "proposed",
    "evaluated",
    "approved",
    "overridden",
    "canary_started",
    "canary_ended",
    "promoted",
    "rejected",
    "held",
    "superseded",
    "rolled_back",
    "hold_set",
    "hold_lifted",
)


@dataclass(frozen=True)
class Event:
    """What happened: when, to which release, by whom, in which run, why."""

    n: int
    kind: str
    release: int | None
    details: dict[str, Any]
    at: datetime
    by_whom: str
    run_id: str
    why: str


@dataclass(frozen=True)
class Wanted:
    """Which events to show. What is not given lets everything pass; `words` looks at who, which run and why."""

    kinds: tuple[str, ...] = ()
    release: int | None = None
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """The number of an event: only those that came earlier."""


EVERYTHING = Wanted()


def find_events(connection: Connection, kb: str, wanted: Wanted = EVERYTHING, most: int | None = None) -> list[Event]:
    """The events that are wanted, newest first; `most`: so many of them."""
    found = queries().find_events(
        connection,
        kb=kb,
        kinds=list(wanted.kinds) or None,
        release=wanted.release,
        words=wanted.words or None,
        since=wanted.since,
        until=wanted.until,
        before=wanted.before,
        most=most,
    )
    return [Event(**row) for row in found]


def history_of(connection: Connection, kb: str, release: int) -> list[Event]:
    """What happened to one release, oldest first."""
    return [Event(**row) for row in queries().history_of_release(connection, kb=kb, release=release)]
