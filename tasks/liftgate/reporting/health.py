"""How a knowledge base stands now: what is live, what holds it up, how fresh it is, and what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from liftgate.database import Connection, queries
from liftgate.releases.ledger import Hold, Release, hold, live
from liftgate.releases.standing import behind_since


@dataclass(frozen=True)
class Standing:
    """One line for each knowledge base."""

    kb: str
    live: int | None
    live_since: datetime | None
    held_since: datetime | None
    held_why: str | None
    newest: int | None
    behind_since: datetime | None
    quarantined: int


@dataclass(frozen=True)
class Ages:
    """When the documents of what is live were written."""

    documents: int
    chunks: int
    oldest: datetime | None
    newest: datetime | None
    median: datetime | None


@dataclass(frozen=True)
class TimeToLive:
    """How long a promoted index took, from the start of its listing until readers saw it."""

    release: int
    promoted_at: datetime
    seconds: float


@dataclass(frozen=True)
class Quarantined:
    """A document that could not be read or parsed; its last good chunks stay."""

    source: str
    uri: str
    kind: str
    reason: str
    run_id: str
    since: datetime


@dataclass(frozen=True)
class NewestRun:
    """The newest run of `kb_<name>`. Each of the two reasons is None where nothing went wrong."""

    run_id: str
    frozen_at: datetime
    stopped_by: str | None
    listing_error: str | None


@dataclass(frozen=True)
class Health:
    """What an operator asks first."""

    live: Release | None
    behind_since: datetime | None
    hold: Hold | None
    ages: Ages | None
    times_to_live: tuple[TimeToLive, ...]
    quarantined: tuple[Quarantined, ...]
    newest_run: NewestRun | None

    @property
    def usual_seconds_to_live(self) -> float | None:
        """The median of the last ten."""
        last = [one.seconds for one in self.times_to_live[-10:]]
        return median(last) if last else None


def knowledge_bases(connection: Connection) -> list[str]:
    """Every knowledge base that the database knows."""
    return [row["kb"] for row in queries().knowledge_bases(connection)]


def standings(connection: Connection, kbs: Sequence[str]) -> list[Standing]:
    """One line for each of some knowledge bases."""
    return [Standing(**row) for row in queries().standings(connection, kbs=list(kbs))]


def health(connection: Connection, kb: str) -> Health:
    """How a knowledge base stands."""
    current = live(connection, kb)
    run = queries().newest_run(connection, kb=kb)
    return Health(
        live=current,
        behind_since=behind_since(connection, kb),
        hold=hold(connection, kb),
        ages=_ages(connection, current) if current else None,
        times_to_live=tuple(TimeToLive(**row) for row in queries().times_to_live(connection, kb=kb)),
        quarantined=tuple(Quarantined(**row) for row in queries().quarantined(connection, kb=kb)),
        newest_run=NewestRun(**run) if run else None,
    )


def _ages(connection: Connection, of: Release) -> Ages:
    place = of.makeup.retrieval
    row = queries().document_ages(connection, collection_id=place.collection_id, generation=place.generation)
    return Ages(**row)
