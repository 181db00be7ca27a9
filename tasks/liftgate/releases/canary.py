"""A canary: some readers get a new adapter before it goes live, and how their requests end decides.

The evidence belongs to the adapter, by the hash of its files: when something else goes live meanwhile, the same adapter
on what is live then needs no second one. All of it is events of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from liftgate.config.canary import Canary
from liftgate.database import Connection, queries
from liftgate.gate.canary import CanaryJudgement, Tally
from liftgate.releases.ledger import Release, release

CanaryState = Literal["not_needed", "waits", "not_started", "running", "overdue", "passed", "failed", "inconclusive"]
"""waits: for the end of the canary of another file's adapter. overdue: its time is up, and nobody has judged it."""


@dataclass(frozen=True)
class RunningCanary:
    """A canary that runs."""

    kb: str
    n: int
    """Number of the event that started it."""
    release: int
    adapter: str
    """Digest of the adapter."""
    settings: Canary
    since: datetime
    until: datetime


def running_canary(connection: Connection, kb: str) -> RunningCanary | None:
    """The canary of a knowledge base. There is one at most: a newer one takes its place."""
    row = queries().running_canary(connection, kb=kb)
    if row is None:
        return None
    details = row.pop("details")
    return RunningCanary(**row, adapter=details["adapter"], settings=Canary.model_validate(details["settings"]))


def name_of(connection: Connection, running: RunningCanary) -> str:
    """The name of its adapter, which is that of the adapter's file."""
    adapter = release(connection, running.kb, running.release).makeup.adapter
    assert adapter
    return adapter.name


def canary_settings(connection: Connection, of: Release) -> Canary | None:
    """The block `canary` of the adapter's newest run; None where a verdict is enough, or no adapter is new."""
    if of.component != "adapter" or of.makeup.adapter is None:
        return None
    block = queries().configured_canary(connection, kb=of.kb, adapter=of.makeup.adapter.name)
    return Canary.model_validate(block) if block else None


def canary_state(connection: Connection, of: Release) -> CanaryState:
    """How far the canary of a release's adapter is, under whatever number it ran.

    What was shown stands, also where the configuration wants no canary any more. An inconclusive one is not repeated
    with the same settings: who may try again passes by chance. One that a rollback or a hold ended showed nothing, and
    one that passed before a rollback away from its adapter for quality or legal reasons has shown too little.
    """
    if of.component != "adapter" or of.makeup.adapter is None:
        return "not_needed"
    settings, digest = canary_settings(connection, of), of.makeup.adapter.digest
    running = running_canary(connection, of.kb)
    if running and running.adapter == digest and settings:
        return "running" if datetime.now(UTC) < running.until else "overdue"
    last = queries().last_of_canary(connection, kb=of.kb, adapter=digest)
    found: CanaryState = "not_started"
    if last and last["kind"] == "canary_ended":
        found = last["details"]["judgement"]["outcome"]
        if found == "inconclusive" and settings and last["details"]["settings"] != settings.model_dump():
            found = "not_started"
        if found == "passed" and last["n"] < queries().last_flight_from(connection, kb=of.kb, adapter=digest):
            found = "not_started"
    if found in ("not_started", "inconclusive") and settings is None:
        return "not_needed"
    if found == "not_started" and running and _has_the_readers(connection, running, of.makeup.adapter.name):
        return "waits"
    return found


def _has_the_readers(connection: Connection, running: RunningCanary, name: str) -> bool:
    """Whether it is of another file and its time is not up: two files would otherwise end each other's for ever."""
    return name_of(connection, running) != name and datetime.now(UTC) < running.until


def why_no_promotion(connection: Connection, of: Release) -> str | None:
    """What the canary of a release's adapter has against its promotion, in a sentence; None: nothing."""
    found = canary_state(connection, of)
    if found in ("not_needed", "passed"):
        return None
    running = running_canary(connection, of.kb)
    if found == "running" and running:
        return f"it runs until {running.until:%Y-%m-%d %H:%M} UTC."
    if found == "overdue" and running:
        return f"its time was up at {running.until:%Y-%m-%d %H:%M} UTC, and it is not judged."
    if found == "waits" and running:
        assert of.makeup.adapter
        then = f"run adapter_{of.makeup.adapter.name} again then."
        return f"that of release {running.release} runs until {running.until:%Y-%m-%d %H:%M} UTC: {then}"
    if found == "not_started":
        return "it has not run, or passed before a rollback away from it."
    assert of.makeup.adapter
    last = queries().last_of_canary(connection, kb=of.kb, adapter=of.makeup.adapter.digest)
    return str(last["details"]["judgement"]["sentence"])


def tallies(connection: Connection, kb: str, canary: int, until: datetime) -> tuple[Tally, Tally]:
    """The outcomes up to the end of a canary, by reader: of the canary's readers, and of all others."""
    good: dict[str, list[int]] = {"canary": [], "live": []}
    answered: dict[str, list[int]] = {"canary": [], "live": []}
    for row in queries().canary_tally(connection, kb=kb, canary=canary, until=until):
        good[row["side"]].append(row["good"])
        answered[row["side"]].append(row["answered"])
    of_canary, of_live = (Tally(tuple(good[side]), tuple(answered[side])) for side in ("canary", "live"))
    return of_canary, of_live


def judgement_on(connection: Connection, of: Release) -> CanaryJudgement | None:
    """The newest judgement on the canary of a release's adapter, under whatever number it ran."""
    if of.component != "adapter" or of.makeup.adapter is None:
        return None
    last: dict[str, Any] | None = queries().last_of_canary(connection, kb=of.kb, adapter=of.makeup.adapter.digest)
    if last is None or last["kind"] != "canary_ended":
        return None
    return CanaryJudgement.from_json(last["details"]["judgement"])
