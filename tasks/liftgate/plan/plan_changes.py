"""Listing against manifest: decide what a run does, without touching index or manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liftgate.access import apply_access
from liftgate.database import Connection, queries
from liftgate.errors import BrakeApplied
from liftgate.generations import Collection, Generation, collection, last_closed
from liftgate.manifest import tokens_of
from liftgate.pieces import fingerprints_of
from liftgate.plan.brakes import Workload, require_within_brakes
from liftgate.plan.planned import Change, newest_plan
from liftgate.plan.scope import count_changes, count_untimed, in_scope
from liftgate.plan.storing import Decision, store_plan
from liftgate.releases.standing import behind_since
from liftgate.runs import Run, Scope
from liftgate.sources.listing import list_sources
from liftgate.turns import renew_turn

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def plan_changes(runtime: Runtime, run: Run) -> list[int]:
    """Store the plan of this run and return the numbers of its batches.

    Raises BrakeApplied where more would happen than the configuration or the run's params allow.
    """
    _list_again_if_overtaken(runtime, run)
    turn = renew_turn(runtime, run, new_fence=True)
    with runtime.database.transaction() as connection:
        listing = queries().newest_listing(connection, kb=run.kb, run_id=run.run_id)
        queries().note_stopped_by(connection, run_id=run.run_id, reason=None)  # an earlier try may have been
    decision = decide_work(runtime, run, listing)
    try:
        require_within_brakes(run, decision.workload, listing["error"])
    except BrakeApplied as brake:
        with runtime.database.transaction() as connection:
            queries().note_stopped_by(connection, run_id=run.run_id, reason=str(brake))
        raise
    return store_plan(runtime, run, turn, decision)


def stop_if_nothing_to_do(runtime: Runtime, run: Run) -> bool:
    """Whether the run goes on. Where it stops, says why, and since when live has been behind its sources."""
    with runtime.database.transaction() as connection:
        plan = newest_plan(connection, run.kb, run.run_id)
        behind = behind_since(connection, run.kb)
    if plan.kind != "nothing":
        return True
    print(f"Nothing to do: {plan.counts['reason']}")
    if behind:
        print(f"Live has been behind its sources since {behind:%Y-%m-%d %H:%M:%S}.")
    elif run.scope.kind == "whole":
        print("Live is up to date.")
    return False


def _list_again_if_overtaken(runtime: Runtime, run: Run) -> None:
    """List again if another run closed a generation after this listing began, or housekeeping emptied it meanwhile."""
    with runtime.database.transaction() as connection:
        listing = queries().newest_listing(connection, kb=run.kb, run_id=run.run_id)
        base = last_closed(connection, run.kb)
    overtaken = base and base.closed_at and base.closed_at > listing["started_at"]
    if overtaken or listing["pruned_at"] or listing["error"]:
        why = "broke off" if listing["error"] else "is older than what was indexed or listed since"
        print(f"Listing {listing['serial']} {why}: listing again.")
        list_sources(runtime, run)
        apply_access(runtime, run)


def decide_work(runtime: Runtime, run: Run, listing: dict[str, Any]) -> Decision:
    """What a listing asks for. Writes nothing."""
    with runtime.database.transaction() as connection:
        base = last_closed(connection, run.kb)
        target = _target(runtime, connection, run, base)
        changes = _classify(connection, run, listing["serial"], base, target)
    # A new collection has to hold everything, whatever the run was asked to look at.
    scope = run.scope if target or base is None else Scope()
    work = [row for row in changes if in_scope(scope, row)]
    workload = _workload(run, changes, work, listing["widenings"] or 0, first=base is None)
    counts, untimed = count_changes(scope, changes), count_untimed(scope, changes)
    return Decision(listing["serial"], base, target, work, workload, counts, untimed)


def _target(runtime: Runtime, connection: Connection, run: Run, base: Generation | None) -> Collection | None:
    """The collection that goes on: the last one, unless embedder or index are others. None: a new one is needed."""
    if base is None:
        return None
    last, wanted = collection(connection, base.collection_id), run.config.ingestion.vector_index
    embedder = runtime.embedder(run.config.ingestion.embeddings).fingerprint
    same_place = last.provider == wanted.provider and last.vector_index.table == wanted.table
    return last if last.embedder == embedder and same_place else None


def _classify(
    connection: Connection, run: Run, serial: int, base: Generation | None, target: Collection | None
) -> list[dict[str, Any]]:
    """How each document stands. Into a new collection everything is new, and nothing can be gone."""
    collection_id, generation = (target.id, base.generation) if base and target else (0, 0)
    rows = queries().classify(
        connection,
        kb=run.kb,
        serial=serial,
        collection_id=collection_id,
        generation=generation,
        **fingerprints_of(run.config),
    )
    return [{**row, "change": Change(row["change"])} for row in rows if not row["waits"]]


def _workload(
    run: Run, changes: list[dict[str, Any]], work: list[dict[str, Any]], widenings: int, *, first: bool
) -> Workload:
    """Counts of what would happen. Documents whose chunks are known are not opened, unless the run is forced to."""
    present = [row for row in work if row["change"] is not Change.GONE]
    to_open = [row for row in present if run.scope.forced or not row["known"]]
    listed = {row["source"] for row in changes if row["change"] is not Change.GONE}
    indexed = {row["source"] for row in changes if row["change"] is not Change.NEW}
    names = sorted(source.name for source in run.config.ingestion.sources)
    return Workload(
        listed=sum(row["change"] is not Change.GONE for row in changes),
        indexed=sum(row["change"] is not Change.NEW for row in changes),
        removals=len(work) - len(present),
        opened=len(to_open),
        tokens=tokens_of(to_open),
        unsized=sum(row["tokens"] is None and not row["size_bytes"] for row in to_open),
        widenings=widenings,
        first=first,
        emptied=tuple(name for name in names if name in indexed and name not in listed),
    )
