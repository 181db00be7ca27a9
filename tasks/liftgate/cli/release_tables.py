"""The ledger as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from liftgate.database import Connection, queries
from liftgate.errors import LiftgateError
from liftgate.evaluation.evaluate import replayed
from liftgate.gate.verdict import Check, Verdict
from liftgate.releases.canary import judgement_on
from liftgate.releases.ledger import Release, hold, release
from liftgate.releases.standing import behind_since
from liftgate.reporting.canaries import canary_so_far, numbers
from liftgate.reporting.history import history_of
from liftgate.reporting.timeline import timeline
from liftgate.reporting.verdicts import Judged, newest_judged


def overview(connection: Connection, kb: str) -> Iterator[Any]:
    """Every release of a knowledge base in one table, then the canary that runs, and what holds it up."""
    found = timeline(connection, kb)
    if not found:
        raise LiftgateError(
            f"Expected releases of {kb}, found none. Check the name, or let kb_{kb} run until one is proposed."
        )
    table = Table("release", "changes", "made of", "outcome", "verdict", "proposed")
    for line in found:
        one, mark = line.release, " (live)" if line.live else ""
        proposed = f"{one.created_at:%Y-%m-%d %H:%M}"
        table.add_row(f"{one.n}{mark}", one.component, str(one.makeup), line.outcome, line.verdict or "none", proposed)
    yield table
    if running := canary_so_far(connection, kb):
        yield from running.lines()
    yield from _held_up(connection, kb)


def details(connection: Connection, kb: str, n: int) -> Iterator[Any]:
    """One release: make-up, history, the judgement on its adapter's canary, and its newest verdict."""
    found = release(connection, kb, n)
    yield from _makeup(found)
    yield from _history(connection, found)
    if tried := judgement_on(connection, found):
        yield f"Canary: {tried.sentence} By reader, {numbers(tried)}"
    judged = newest_judged(connection, found)
    if judged is None:
        yield "It has no verdict."
        return
    yield from _verdict(connection, kb, judged)


def _held_up(connection: Connection, kb: str) -> Iterator[str]:
    if held := hold(connection, kb):
        yield (
            f"Promotions are on hold since {held.since:%Y-%m-%d %H:%M} by {held.by_whom}: {held.why}. "
            f"`liftgate releases resume {kb}` lifts that."
        )
    if behind := behind_since(connection, kb):
        yield f"Live has been behind its sources since {behind:%Y-%m-%d %H:%M}."


def _makeup(found: Release) -> Iterator[Any]:
    made = found.makeup
    search = ", ".join(f"{name} {value}" for name, value in made.retrieval.settings.model_dump().items())
    adapter = f"{made.adapter.name} {made.adapter.digest[:16]}" if made.adapter else "none"
    table = Table(f"release {found.n} of {found.kb}", "", show_header=True)
    table.add_row("changes", found.component + (f" of release {found.parent}" if found.parent else ", the first"))
    table.add_row("index", f"{made.retrieval.collection}, generation {made.retrieval.generation}")
    table.add_row("search", search)
    table.add_row("prompt", made.prompt.version)
    table.add_row("base model", f"{made.base.model} {made.base.revision[:16]}".strip())
    table.add_row("adapter", adapter)
    table.add_row("longest answer", f"{made.max_new_tokens} tokens")
    yield table


def _history(connection: Connection, found: Release) -> Iterator[Any]:
    table = Table("when", "what", "by", "why")
    for event in history_of(connection, found.kb, found.n):
        table.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", event.kind, event.by_whom, event.why)
    yield table


def _verdict(connection: Connection, kb: str, judged: Judged) -> Iterator[Any]:
    """The verdict as the stored rows give it today. `replayed` raises if that is not the stored one."""
    verdict = replayed(connection, kb, judged.evaluation_id)
    rows = len(list(queries().evidence_of(connection, evaluation_id=judged.evaluation_id)))
    yield (
        f"Verdict of {judged.decided_at:%Y-%m-%d %H:%M:%S} on release {judged.release}: {verdict.outcome}. "
        f"Computed again from {rows} rows of evidence just now: it is the one in the ledger."
    )
    yield _checks(verdict)
    yield "Bounds are one-sided at 95 %. Power: the smallest margin that these questions decide at 80 %."
    yield from verdict.summary
    yield from (f"Note: {note}" for note in verdict.notes)


def _checks(verdict: Verdict) -> Table:
    table = Table("check", "outcome", "candidate", "other", "difference", "bounds", "needed", "power", "questions")
    for check in verdict.checks:
        table.add_row(check.name, check.outcome.replace("_", " "), *_numbers(check))
    return table


def _numbers(check: Check) -> tuple[str, ...]:
    """Example: recall 0.81 against 0.83 -> "0.810", "0.830", "-0.020", "-0.061 to +0.025", "-0.100", "0.085", ..."""
    signed = "" if check.other is None else "+"
    bounds = f"{_number(check.lower, signed)} to {_number(check.upper, signed)}" if check.lower is not None else ""
    return (
        _number(check.candidate),
        _number(check.other),
        _number(check.estimate, signed) if check.other is not None else "",
        bounds,
        _number(check.threshold, signed),
        _number(check.decided_margin),
        f"{check.questions} in {check.families} families" if check.questions else "",
    )


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.3f}"
