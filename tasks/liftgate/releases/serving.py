"""What an application serves to a reader, live or for some of them the canary, and how it tells what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from liftgate.config.block import Block
from liftgate.database import Connection, queries
from liftgate.errors import LiftgateError
from liftgate.releases.canary import RunningCanary, running_canary
from liftgate.releases.ledger import Release, live, release
from liftgate.releases.makeup import Makeup

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

Side = Literal["canary", "live"]


@dataclass(frozen=True)
class Serving:
    """What a reader gets."""

    release: Release
    """What is live."""
    makeup: Makeup
    """What to answer with: that of the release, with the canary's base model and adapter for its readers."""
    canary: int | None
    """Number of the canary that runs; tell it with each outcome. None: no canary runs, and no outcome is wanted."""
    side: Side


class Outcome(Block):
    """What became of one answered request."""

    canary: int
    """As `Serving` said it, for readers of both sides."""
    side: Side
    """As `Serving` said it."""
    reader: str
    """As it was given to `serving`. Only a hash of it is kept."""
    request: str
    """An id of the request: told again, it counts once."""
    good: bool
    """Whether the answer was good, by whatever the application knows: a thumb, a follow-up, a ticket."""


def serving(connection: Connection, kb: str, reader: str | None = None, now: datetime | None = None) -> Serving | None:
    """What to serve to a reader, or to somebody unknown, who gets what is live. None: nothing is live.

    The canary's readers get today's live with the canary's adapter in it, so that a new index reaches them too.
    """
    current = live(connection, kb)
    if current is None:
        return None
    canary = _serving_now(connection, kb, now)
    if canary is None:
        return Serving(current, current.makeup, None, "live")
    side = side_of(canary, reader) if reader is not None else "live"
    new = release(connection, kb, canary.release).makeup
    mixed = current.makeup.model_copy(update={"base": new.base, "adapter": new.adapter})
    return Serving(current, mixed if side == "canary" else current.makeup, canary.n, side)


def side_of(canary: RunningCanary, reader: str) -> Side:
    """The same side for a reader for as long as the canary runs, and each canary draws its readers anew."""
    place = int(_hashed(canary, reader)[:16], 16) / 2**64
    return "canary" if place < canary.settings.share else "live"


def report_outcomes(runtime: Runtime, kb: str, outcomes: Iterable[Outcome]) -> int:
    """Store what became of requests, and return how many count.

    One of a canary that has ended does not, nor one whose side is not the one of its reader: that was answered before
    the canary began. Raises LiftgateError where nothing was ever live.
    """
    counted = 0
    with runtime.database.transaction() as connection:
        if live(connection, kb) is None:
            raise LiftgateError(f"Expected a live release of {kb}, found none. Check the name.")
        canary = _serving_now(connection, kb)
        for one in outcomes:
            if canary and one.canary == canary.n and one.side == side_of(canary, one.reader):
                counted += _store(connection, canary, one)
    return counted


def _serving_now(connection: Connection, kb: str, now: datetime | None = None) -> RunningCanary | None:
    """The canary that readers get. From its end on they get what is live, whenever it is judged."""
    found = running_canary(connection, kb)
    return found if found and (now or datetime.now(UTC)) < found.until else None


def _store(connection: Connection, canary: RunningCanary, one: Outcome) -> int:
    added: int = queries().add_canary_outcome(
        connection,
        kb=canary.kb,
        canary=canary.n,
        request=one.request,
        side=one.side,
        reader=_hashed(canary, one.reader),
        good=one.good,
    )
    return added


def _hashed(canary: RunningCanary, reader: str) -> str:
    return hashlib.sha256(f"{canary.kb}\n{canary.n}\n{reader}".encode()).hexdigest()
