"""What would a run do, and cost? Found out by the real steps, under a name of its own, so that nobody waits for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from liftgate.database import queries
from liftgate.errors import BrakeApplied, SourceError
from liftgate.news import NAMED_DOCUMENTS
from liftgate.plan.brakes import Workload, cost_sentence, require_within_brakes
from liftgate.plan.plan_changes import decide_work
from liftgate.plan.scope import NOT_LOOKED_AT, untimed_sentence
from liftgate.plan.storing import kind_of
from liftgate.runs import Run
from liftgate.sources.listing import fill_listing

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

ASIDE = "(dry run) "
"""Before the run's id, the name of the knowledge base to which a dry run's listing belongs. No file can have it."""
MEANING = {
    "new": "not indexed yet",
    "changed": "listed with another version hint",
    "again": "unchanged, to be parsed and cut again by changed settings",
    "gone": "indexed, and not listed any more",
    "anyway": "unchanged, opened since the run is forced to",
    "same": "unchanged, not opened",
    NOT_LOOKED_AT: "not among those that the run is for",
}
KINDS = {
    "index": "A run would write a new generation and let it be judged.",
    "verify": "A run would write nothing and only judge what is indexed.",
    "nothing": "A run would have nothing to do",
}


@dataclass(frozen=True)
class Forecast:
    """What a run would do. `changes` counts documents by how they differ from the last closed generation."""

    kind: str
    """index: a generation would be written; verify: only judged; nothing."""
    changes: dict[str, int]
    workload: Workload
    cost: str
    reason: str | None
    """Why there is nothing to do."""
    brake: str | None
    """What would stop the run, and how to let it pass once."""
    quarantined: tuple[str, ...]
    """Documents that are set aside today, with their reasons."""
    untimed: int
    """Documents that a backfill cannot take."""

    def counts(self) -> list[tuple[str, int, str]]:
        """Documents by what becomes of them, with what that means."""
        return [
            *((change, self.changes.get(change, 0), meaning) for change, meaning in MEANING.items()),
            ("wider", self.workload.widenings, "become readable by more groups"),
            ("quarantined", len(self.quarantined), "set aside by earlier runs, with a reason"),
        ]

    def verdict(self) -> list[str]:
        """What a run would come to, in sentences."""
        costs = [self.cost, "Texts that were embedded before cost nothing again."] if self.kind == "index" else []
        brake = f"It would be stopped:\n{self.brake}" if self.brake else "No brake would hold it."
        kind = KINDS[self.kind] + (f": {self.reason}" if self.reason else "")
        untimed = [untimed_sentence(self.untimed)] if self.untimed else []
        return [kind, *untimed, *costs, brake, *self._set_aside()]

    def _set_aside(self) -> list[str]:
        named, more = self.quarantined[:NAMED_DOCUMENTS], len(self.quarantined) - NAMED_DOCUMENTS
        title = ["Set aside by earlier runs:"] if named else []
        return [*title, *named, *([f"and {more} more"] if more > 0 else [])]


def stop_if_dry_run(runtime: Runtime, run: Run) -> bool:
    """Whether the run goes on. A dry run says here what it would do and cost, and has touched nothing."""
    if not run.scope.dry_run:
        return True
    found = dry_run(runtime, run)
    print(
        "\n".join(
            [*(f"{number:>8} {change}: {meaning}" for change, number, meaning in found.counts()), *found.verdict()]
        )
    )
    return False


def dry_run(runtime: Runtime, run: Run) -> Forecast:
    """Compare the sources with the last closed generation, and leave nothing behind.

    The listing is written as a run writes its own, and deleted at the end. It belongs to a knowledge base that nobody
    else knows of, together with what documents said of their readers, so no run takes any of it for its own.

    Raises SourceError where the sources could not be listed: what was not listed must not look like removals.
    """
    aside = replace(run, kb=f"{ASIDE}{run.run_id}")
    try:
        with runtime.database.transaction() as connection:
            queries().forget_asides(connection, prefix=ASIDE, kb=aside.kb)
            queries().copy_words(connection, kb=aside.kb, of=run.kb)
            serial: int = queries().start_listing(connection, kb=aside.kb, run_id=run.run_id)
        fill_listing(runtime, aside, serial)
        return _forecast(runtime, run, _compared(runtime, run, aside, serial))
    finally:
        with runtime.database.transaction() as connection:
            queries().forget_asides(connection, prefix=ASIDE, kb=aside.kb)


def _compared(runtime: Runtime, run: Run, aside: Run, serial: int) -> dict[str, Any]:
    """The listing of a dry run, with what earlier ones learnt, and how many documents it makes readable by more."""
    with runtime.database.transaction() as connection:
        queries().keep_known_versions(connection, kb=run.kb, serial=serial)
        listing = queries().newest_listing(connection, kb=aside.kb, run_id=aside.run_id)
        return {**listing, "widenings": queries().count_widenings(connection, kb=run.kb, serial=serial)}


def _forecast(runtime: Runtime, run: Run, listing: dict[str, Any]) -> Forecast:
    if listing["error"]:
        raise SourceError(
            f"Expected a complete listing of {run.kb}, found one that broke off: {listing['error']} What a run would "
            "do is not known; it would remove nothing. Mend the source, then ask again."
        )
    decision = decide_work(runtime, run, listing)
    with runtime.database.transaction() as connection:
        kind, reason = kind_of(runtime, connection, run, decision)
        aside = queries().quarantined(connection, kb=run.kb)
        quarantined = tuple(f"{row['uri']} of source {row['source']}: {row['reason']}" for row in aside)
    return Forecast(
        kind=kind,
        changes=decision.changes,
        workload=decision.workload,
        cost=cost_sentence(run, decision.workload),
        reason=reason,
        brake=_brake(run, decision.workload),
        quarantined=quarantined,
        untimed=decision.untimed,
    )


def _brake(run: Run, workload: Workload) -> str | None:
    try:
        require_within_brakes(run, workload, listing_error=None)
    except BrakeApplied as brake:
        return str(brake)
    return None
