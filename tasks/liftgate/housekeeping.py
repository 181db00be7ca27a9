"""Housekeeping: delete the rows that nobody can need any more, and rows that nobody knows of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from liftgate.access import apply_pending
from liftgate.comparing import ids_of
from liftgate.database import Connection, queries
from liftgate.errors import IndexDiffers, TurnLost
from liftgate.evaluation.conditions import best_promoted
from liftgate.generations import Collection, collection, collections_of, last_closed, open_generation
from liftgate.index import VectorIndex
from liftgate.manifest import Entry
from liftgate.plan.dry_run import ASIDE
from liftgate.releases.index_of_release import follow_live
from liftgate.releases.ledger import lock_ledger
from liftgate.runs import Run
from liftgate.sources.identity import Document
from liftgate.turns import Turn, Waiting, release_turn, require_turn, take_turn

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def prune(runtime: Runtime, run: Run) -> dict[str, int]:
    """Delete rows that no release, candidate, canary or anchor in use sees, and old listings. Returns what went.

    The last closed and the open generation stay too. A collection of which nothing is kept leaves the index: another
    embedder came after it, so that it is never written again. Raises TurnLost while another run writes.
    """
    gone = {"rows": 0, "documents": 0, "generations": 0, "collections": 0, "listed": 0}
    with _turn(runtime, run) as turn:
        kept, gone["generations"] = _settle(runtime, run, turn)
        for number, generations in kept.items():
            _add(gone, _prune_collection(runtime, turn, number, generations))
        gone["listed"] = _prune_listings(runtime, run, turn)
    print(f"Pruned of {run.kb}: {gone}")
    return gone


def compare_newest(runtime: Runtime, run: Run) -> int:
    """Delete rows that no manifest knows from the newest closed generation of each collection. Returns how many.

    A writer that was stopped between two checks can send a batch late. Raises IndexDiffers if rows are missing, which
    only a new run can mend, and TurnLost while another run writes.
    """
    with _turn(runtime, run) as turn:
        with runtime.database.transaction() as connection:
            newest = list(queries().newest_closed_generations(connection, kb=run.kb))
        follow_live(runtime, run.kb)
        _narrow_again(runtime, run.kb)
        deleted = sum(_compare(runtime, turn, row["collection_id"], row["generation"]) for row in newest)
    print(f"Compared {len(newest)} collection(s) of {run.kb} with their manifests: {deleted} unknown rows deleted")
    return deleted


@contextmanager
def _turn(runtime: Runtime, run: Run) -> Iterator[Turn]:
    """The writer's turn. Housekeeping does not stand in the queue: whoever writes goes first, and it comes again."""
    try:
        turn = take_turn(runtime, run)
        if isinstance(turn, Waiting):
            raise TurnLost(
                f"Expected nobody to write to {run.kb}, found {run.run_id} {turn}. Nothing was touched. "
                "Run housekeeping again when that has ended."
            )
        yield turn
    finally:
        release_turn(runtime, run)


def _settle(runtime: Runtime, run: Run, turn: Turn) -> tuple[dict[int, list[int]], int]:
    """The kept generations of each collection, and how many others were marked as pruned.

    The marks are committed before any row goes, under the ledger's lock: nobody can roll back to what is being deleted.
    """
    with runtime.database.transaction() as connection:
        require_turn(connection, turn)
        lock_ledger(connection, run.kb)
        numbers = _kept_generations(connection, run)
        kept: dict[int, list[int]] = {one.id: [] for one in collections_of(connection, run.kb)}
        for number in sorted(numbers):
            found = queries().generation(connection, kb=run.kb, generation=number)
            if found["collection_id"] in kept:  # else it was dropped before more had to be kept
                kept[found["collection_id"]].append(number)
        marked = [
            row["generation"]
            for number, generations in kept.items()
            for row in queries().mark_pruned(connection, kb=run.kb, collection_id=number, kept=generations)
        ]
    print(f"Kept generations of {run.kb}: {sorted(numbers)}. No longer whole from now on: {marked}")
    return kept, len(marked)


def _kept_generations(connection: Connection, run: Run) -> set[int]:
    """Generations that somebody may still read, compare with, build on or go back to."""
    retention = run.config.retention
    releases = queries().releases_to_keep(
        connection,
        kb=run.kb,
        keep_releases=retention.keep_releases,
        keep_hours=retention.keep_hours,
        anchors=_anchors(connection, run),
    )
    building = (last_closed(connection, run.kb), open_generation(connection, run.kb))
    return {row["generation"] for row in releases} | {one.generation for one in building if one}


def _anchors(connection: Connection, run: Run) -> list[int]:
    """The anchors of every gate of this knowledge base: its own, that of prompts, and those of its adapters."""
    metrics = {gate.guards[0].metric for gate in (run.config.gate, run.config.prompt_gate)}
    metrics |= {row["metric"] for row in queries().anchoring_metrics(connection, kb=run.kb)}
    found = (best_promoted(connection, run.kb, metric) for metric in sorted(metrics))
    return [n for n in found if n is not None]


def _prune_collection(runtime: Runtime, turn: Turn, collection_id: int, kept: list[int]) -> dict[str, int]:
    """Delete what none of the kept generations sees; without any, the whole collection."""
    with runtime.database.transaction() as connection:
        index = runtime.index_in(connection, collection(connection, collection_id))
        require_turn(connection, turn, index.request_seconds)
        rows = index.prune(kept)
        documents: int = queries().prune_manifest(connection, collection_id=collection_id, kept=kept)
        if not kept:
            index.drop()
            queries().mark_dropped(connection, id=collection_id)
    return {"rows": rows, "documents": documents, "collections": int(not kept and documents > 0)}


def _prune_listings(runtime: Runtime, run: Run, turn: Turn) -> int:
    """Delete the documents of listings that nothing is compared with any more, and return how many that were.

    What dry runs left behind that were killed goes with them, of whatever knowledge base, and is not counted.
    """
    with runtime.database.transaction() as connection:
        require_turn(connection, turn)
        planned = queries().newest_planned_listing(connection, kb=run.kb)
        documents: int = queries().prune_listings(connection, kb=run.kb, planned=planned)
        queries().forget_asides(connection, prefix=ASIDE, kb=None)
    return documents


def _add(total: dict[str, int], more: dict[str, int]) -> None:
    for name, number in more.items():
        total[name] += number


def _narrow_again(runtime: Runtime, kb: str) -> None:
    """Take back what a late request of an older writer made readable again: it knows the groups of its time."""
    with runtime.database.transaction() as connection:
        allowed = {
            Document(row["source"], row["uri"]): row["groups"] for row in queries().access_of_all(connection, kb=kb)
        }
        wider: set[Document] = set()
        for one in collections_of(connection, kb):
            wider |= runtime.index_in(connection, one).wider_than(allowed)
        for document in wider:
            queries().reopen_access_of(connection, kb=kb, source=document.source, uri=document.uri)
    if wider:
        print(f"Rows of {len(wider)} document(s) of {kb} were readable by more than may read them: narrowed.")
        apply_pending(runtime, kb)


def _compare(runtime: Runtime, turn: Turn, collection_id: int, generation: int) -> int:
    with runtime.database.transaction() as connection:
        where = collection(connection, collection_id)
        index = runtime.index_in(connection, where)
        require_turn(connection, turn, index.request_seconds)
        expected = ids_of(connection, where, generation)
        found = index.ids(generation)
        deleted = _delete_unknown(connection, index, where, generation, found - expected)
    if missing := len(expected - found):
        raise IndexDiffers(
            f"Expected {len(expected)} rows of generation {generation} in {where.name}, found {missing} of them "
            f"missing. Trigger kb_{where.kb} with the param force, which writes them again, and allow_opened_up_to."
        )
    return deleted


def _delete_unknown(
    connection: Connection, index: VectorIndex, where: Collection, generation: int, unknown: set[UUID]
) -> int:
    """Delete rows that are in no manifest. A row of an earlier generation that came back is ended again instead."""
    if not unknown:
        return 0
    ended: dict[int, set[UUID]] = defaultdict(set)
    for row in queries().ended_entries(connection, collection_id=where.id, generation=generation):
        removed_in = row.pop("removed_in")
        ended[removed_in] |= unknown.intersection(Entry(**row).chunk_ids(where.kb))
    for removed_in, ids in ended.items():
        index.mark_removed(ids, removed_in)
    strays = unknown.difference(*ended.values())
    index.delete(strays)
    return len(strays)
