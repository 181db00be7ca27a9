"""What is worth telling of a run, in words and in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from liftgate.config.notify import Occasion
from liftgate.database import queries
from liftgate.releases.ledger import lock_ledger
from liftgate.releases.standing import behind_since
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

NAMED_DOCUMENTS = 20
"""So many quarantined documents are named in a message; the others are counted."""


@dataclass(frozen=True)
class News:
    """Something that people asked to be told of."""

    occasion: Occasion
    kb: str
    run_id: str
    title: str
    text: str


@dataclass(frozen=True)
class Figures:
    """The numbers of a run. Those of a run that wrote nothing are 0."""

    documents_opened: int
    chunks_embedded: int
    documents_quarantined: int
    seconds_behind: float
    """How long live has been behind its sources; 0 while it is up to date."""


def news_of_ledger(runtime: Runtime, kb: str) -> list[News]:
    """What happened in the ledger since people were told last, whoever did it.

    The command line has no notifiers, so the next run tells what a person did there. What is returned counts as told:
    nobody is told twice, and where a notifier fails, the ledger still has it.
    """
    with runtime.database.transaction() as connection:
        lock_ledger(connection, kb)
        events = list(queries().untold_events(connection, kb=kb))
        if events:
            queries().mark_told(connection, kb=kb, n=events[-1]["n"])
    return [_news_of_event(kb, event) for event in events if event["kind"] in _TOLD]


_TOLD: dict[str, tuple[Occasion, str, str]] = {
    "promoted": ("promoted", "Release {release} of {kb} is live", "By {by_whom}: {why}."),
    "rejected": ("rejected", "Release {release} of {kb} was rejected", "{why}"),
    "held": ("held", "Release {release} of {kb} is held", "{why}"),
    "canary_started": ("canary", "Some readers of {kb} get release {release}", "{why}"),
    "canary_ended": (
        "canary",
        "The canary of release {release} of {kb} has ended",
        "{why}",
    ),
    "rolled_back": (
        "rolled_back",
        "{kb} was rolled back to release {release}",
        "By {by_whom}: {why}. Promotions are on hold until resume_{kb}.",
    ),
    "hold_lifted": ("resumed", "Promotions of {kb} go on", "By {by_whom}: {why}."),
}
"""Events of the ledger that people can ask to be told of: occasion, title and text."""


def _news_of_event(kb: str, event: dict[str, Any]) -> News:
    occasion, title, text = _TOLD[event["kind"]]
    said = {"kb": kb, **event, "why": event["why"] or "no reason given"}
    return News(occasion, kb, event["run_id"], title.format(**said), text.format(**said))


def news_of_brake(run: Run, reason: str) -> Iterator[News]:
    """That a run was stopped before it touched the index."""
    yield News("brake", run.kb, run.run_id, f"A run of {run.kb} was stopped by a brake", reason)


def news_of_quarantine(runtime: Runtime, run: Run) -> Iterator[News]:
    """Documents that this run was the first to set aside. A run that is cleared tells of none of them again."""
    with runtime.database.transaction() as connection:
        rows = list(queries().quarantined_first_by(connection, kb=run.kb, run_id=run.run_id))
        named = {"sources": [row["source"] for row in rows], "uris": [row["uri"] for row in rows]}
        queries().mark_quarantined_told(connection, kb=run.kb, run_id=run.run_id, **named)
    if rows:
        lines = [f"{row['uri']}: {row['reason']}" for row in rows[:NAMED_DOCUMENTS]]
        lines += [f"and {len(rows) - NAMED_DOCUMENTS} more"] if len(rows) > NAMED_DOCUMENTS else []
        title = f"{len(rows)} document(s) of {run.kb} could not be read"
        yield News("quarantined", run.kb, run.run_id, title, "\n".join(lines))


def news_of_staleness(runtime: Runtime, run: Run, now: datetime | None = None) -> Iterator[News]:
    """That live has been behind its sources for longer than is all right."""
    with runtime.database.transaction() as connection:
        behind = behind_since(connection, run.kb)
    if behind and (now or datetime.now(UTC)) - behind >= timedelta(hours=run.config.stale_after_hours):
        text = (
            "Since then candidates were rejected or are held, as `liftgate releases list` says, or every run was "
            "stopped by a brake, or because a source could not be listed, as the log of the run says."
        )
        title = f"Live of {run.kb} has been behind its sources since {behind:%Y-%m-%d %H:%M}"
        yield News("stale", run.kb, run.run_id, title, text)


def figures(runtime: Runtime, run: Run) -> Figures:
    """What the run cost, and how its knowledge base stands now."""
    with runtime.database.transaction() as connection:
        counts = queries().counts_of_run(connection, kb=run.kb, run_id=run.run_id) or {}
        quarantined = len(list(queries().quarantined(connection, kb=run.kb)))
        behind = behind_since(connection, run.kb)
    seconds = (datetime.now(UTC) - behind).total_seconds() if behind else 0.0
    return Figures(counts.get("opened", 0), counts.get("embedded", 0), quarantined, seconds)
