"""What would a run do, and cost? Found out by the real steps, in one transaction that is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from liftgate.database import Connection, Database, queries
from liftgate.errors import BrakeApplied, SourceError
from liftgate.plan.brakes import Workload, cost_sentence, require_within_brakes
from liftgate.plan.plan_changes import decide_work
from liftgate.plan.storing import kind_of
from liftgate.runs import Run
from liftgate.sources.listing import list_sources

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


MEANING = {
    "new": "not indexed yet",
    "changed": "listed with another version hint",
    "again": "unchanged, to be parsed and cut again by changed settings",
    "gone": "indexed, and not listed any more",
    "same": "unchanged, not opened",
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
    quarantined: int
    """Documents that are set aside today."""

    def counts(self) -> list[tuple[str, int, str]]:
        """Documents by what becomes of them, with what that means."""
        return [
            *((change, self.changes.get(change, 0), meaning) for change, meaning in MEANING.items()),
            ("wider", self.workload.widenings, "become readable by more groups"),
            ("quarantined", self.quarantined, "set aside by earlier runs, with a reason"),
        ]

    def verdict(self) -> list[str]:
        """What a run would come to, in sentences."""
        costs = [self.cost, "Texts that were embedded before cost nothing again."] if self.kind == "index" else []
        brake = f"It would be stopped:\n{self.brake}" if self.brake else "No brake would hold it."
        return [KINDS[self.kind] + (f": {self.reason}" if self.reason else ""), *costs, brake]


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
    """Compare the sources with the last closed generation, and leave the database as it was.

    Raises SourceError where they could not be listed: what was not listed must not look like removals.
    """
    with runtime.database.transaction() as connection, connection.transaction(force_rollback=True):
        dry = replace(runtime)
        # A cached property looks here first: every step below works inside this one transaction.
        vars(dry)["database"] = _OneTransaction(runtime.database.url, connection)
        return _forecast(dry, connection, run)


class _OneTransaction(Database):
    """A database in which every transaction is a savepoint of one that somebody else ends."""

    def __init__(self, url: str, connection: Connection):
        super().__init__(url)
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._connection.transaction():
            yield self._connection


def _forecast(runtime: Runtime, connection: Connection, run: Run) -> Forecast:
    serial = list_sources(runtime, run)
    widenings = queries().count_widenings(connection, kb=run.kb, serial=serial)
    queries().note_widenings(connection, serial=serial, widenings=widenings, capped=False)
    decision, listing = decide_work(runtime, run)
    if listing["error"]:
        raise SourceError(
            f"Expected a complete listing of {run.kb}, found one that broke off: {listing['error']} What a run would "
            "do is not known; it would remove nothing. Mend the source, then ask again."
        )
    kind, reason = kind_of(runtime, connection, run, decision)
    unchanged = decision.workload.listed - decision.workload.opened
    return Forecast(
        kind=kind,
        changes={**Counter(str(row["change"]) for row in decision.work), "same": unchanged},
        workload=decision.workload,
        cost=cost_sentence(run, decision.workload),
        reason=reason,
        brake=_brake(run, decision.workload),
        quarantined=len(list(queries().quarantined(connection, kb=run.kb))),
    )


def _brake(run: Run, workload: Workload) -> str | None:
    try:
        require_within_brakes(run, workload, listing_error=None)
    except BrakeApplied as brake:
        return str(brake)
    return None
