"""What a page needs, read in one transaction of Liftgate's database."""

from __future__ import annotations

from dataclasses import dataclass

from liftgate.database import Connection, queries
from liftgate.gate.canary import CanaryJudgement
from liftgate.releases.canary import judgement_on
from liftgate.releases.ledger import Release, release
from liftgate.reporting.canaries import CanarySoFar, canary_so_far
from liftgate.reporting.flips import Flip, flips
from liftgate.reporting.health import Health, Standing, health, knowledge_bases, standings
from liftgate.reporting.history import Event, find_events, history_of
from liftgate.reporting.texts import ShownQuestion, question_for
from liftgate.reporting.timeline import LivePeriod, ReleaseLine, live_periods, timeline
from liftgate.reporting.verdicts import Judged, newest_judged
from liftgate_airflow.connection import database_in_api_server, runtime_in_api_server
from liftgate_airflow.pages.filters import EventFilter

MOST_RELEASES = 200
MOST_EVENTS = 500
"""On one page. Downloads hold all of them."""


@dataclass(frozen=True)
class Overview:
    """A knowledge base: how it stands, and its newest releases, oldest first, after those that can go live again."""

    kb: str
    health: Health
    lines: list[ReleaseLine]
    periods: list[LivePeriod]
    canary: CanarySoFar | None
    pools: set[str]
    """Where its tasks wait, by the newest configuration."""


@dataclass(frozen=True)
class ReleasePage:
    """A release: its verdict, and the questions that it answers otherwise than `against`."""

    release: Release
    live: bool
    history: list[Event]
    judged: Judged | None
    canary: CanaryJudgement | None
    against: str
    flips: list[Flip]


def all_knowledge_bases() -> list[str]:
    """Every knowledge base."""
    with database_in_api_server().transaction() as connection:
        return knowledge_bases(connection)


def all_standings(kbs: list[str]) -> list[Standing]:
    """One line for each."""
    with database_in_api_server().transaction() as connection:
        return standings(connection, kbs)


def overview(kb: str) -> Overview:
    """How a knowledge base stands."""
    with database_in_api_server().transaction() as connection:
        lines = timeline(connection, kb, MOST_RELEASES)
        periods, canary = live_periods(connection, kb), canary_so_far(connection, kb)
        return Overview(kb, health(connection, kb), lines, periods, canary, _pools(connection, kb))


def _pools(connection: Connection, kb: str) -> set[str]:
    """Read without validation, which would look for files that only workers have."""
    stored = queries().last_configuration(connection, kb=kb)
    return {stored["knowledge_base"][name] for name in ("pool", "models_pool")} if stored else set()


def all_releases(kb: str) -> list[ReleaseLine]:
    """Every release, oldest first."""
    with database_in_api_server().transaction() as connection:
        return timeline(connection, kb)


def release_page(kb: str, n: int, against: str = "") -> ReleasePage:
    """One release. `against` is a side of its evaluation; if it is none, the baseline. Raises PromotionRefused."""
    with database_in_api_server().transaction() as connection:
        found = release(connection, kb, n)
        judged = newest_judged(connection, found)
        sides = judged.against if judged else ()
        side = against if against in sides else next(iter(sides), "")
        return ReleasePage(
            release=found,
            live=any(period.release == n and period.until is None for period in live_periods(connection, kb)),
            history=history_of(connection, kb, n),
            judged=judged,
            canary=judgement_on(connection, found),
            against=side,
            flips=flips(connection, judged.evaluation_id, side) if judged and side else [],
        )


def question_page(kb: str, n: int, question: str, groups: set[str]) -> ShownQuestion | None:
    """One question of the newest verdict on a release. None: it has no verdict, or that measured no such question."""
    runtime = runtime_in_api_server()
    with runtime.database.transaction() as connection:
        judged = newest_judged(connection, release(connection, kb, n))
    found = question_for(runtime, kb, judged.evaluation_id, question, groups) if judged else None
    return found if found and found.values else None


def events(kb: str, wanted: EventFilter, most: int | None = None) -> list[Event]:
    """The ledger, newest first; `most`: so many of it."""
    with database_in_api_server().transaction() as connection:
        return find_events(connection, kb, wanted.wanted(), most)
