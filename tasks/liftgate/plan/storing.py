"""Write a plan down: its generation, and its documents cut into batches."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from liftgate.database import Connection, queries
from liftgate.fingerprints import canonical_json
from liftgate.generations import Collection, Generation, new_collection, open_generation
from liftgate.indexing.undo import undo_open_generation
from liftgate.plan.brakes import Workload
from liftgate.plan.planned import Change
from liftgate.plan.scope import nothing_to_do_in, untimed_sentence
from liftgate.releases.standing import reason_to_stop
from liftgate.runs import Run
from liftgate.turns import Turn, require_turn

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

MOST_BATCHES = 1000
"""Airflow maps a task at most 1,024 times."""


@dataclass(frozen=True)
class Decision:
    """What a run does: which documents, on which generation, into which collection (None: a new one)."""

    serial: int
    base: Generation | None
    target: Collection | None
    work: list[dict[str, Any]]
    workload: Workload
    changes: dict[str, int]
    """Documents by how they differ from the last closed generation, and those at which the run does not look."""
    untimed: int
    """Documents that a backfill cannot take."""


def store_plan(runtime: Runtime, run: Run, turn: Turn, decision: Decision) -> list[int]:
    """Store the plan in one transaction and return the numbers of its batches, at least one."""
    counts: dict[str, Any] = decision.workload.counts()
    with runtime.database.transaction() as connection:
        require_turn(connection, turn)
        _end_quarantine(connection, run, decision)
        items: list[dict[str, Any]] = []
        kind, reason = kind_of(runtime, connection, run, decision)
        if kind == "index" or decision.base is None:
            number, items = _open(runtime, connection, run, decision)
        else:
            number, counts["reason"] = decision.base.generation, reason
        plan = queries().add_plan(
            connection,
            kb=run.kb,
            run_id=run.run_id,
            kind=kind,
            generation=number,
            serial=decision.serial,
            fence=turn.fence,
            counts=canonical_json(counts),
        )
        batched = _in_batches(run, plan["id"], items)
        queries().add_plan_items(connection, batched)
    print(f"Plan {plan['id']} of {run.kb}: {kind}, generation {number}, {counts}")
    if decision.untimed:
        print(untimed_sentence(decision.untimed))
    return sorted({row["batch"] for row in batched}) or [0]


def _end_quarantine(connection: Connection, run: Run, decision: Decision) -> None:
    """Of documents that are gone, or stand again as they are indexed: no batch opens them."""
    queries().forget_quarantine_of_gone(connection, kb=run.kb, serial=decision.serial)
    if base := decision.base:
        queries().forget_quarantine_of_indexed(
            connection,
            kb=run.kb,
            serial=decision.serial,
            collection_id=base.collection_id,
            generation=base.generation,
        )


def kind_of(
    runtime: Runtime, connection: Connection, run: Run, decision: Decision
) -> tuple[Literal["index", "verify", "nothing"], str | None]:
    """Whether there is something to write, only to judge, or nothing to do, and why not.

    What an earlier run left open is always taken over, or that run could be cleared later and close it.
    """
    if decision.work or decision.base is None or decision.target is None or open_generation(connection, run.kb):
        return "index", None
    some = run.scope.kind == "some"
    forced = run.scope.forced and not some  # one over some documents has none of them here
    reason = None if forced else reason_to_stop(runtime, connection, run, decision.base)
    if reason and some:
        reason = nothing_to_do_in(run.scope, decision.changes)
    return ("nothing" if reason else "verify"), reason


def _in_batches(run: Run, plan_id: int, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    size = max(run.config.indexing.batch_documents, ceil(len(items) / MOST_BATCHES))
    return [{**item, "plan_id": plan_id, "batch": position // size} for position, item in enumerate(items)]


def _open(runtime: Runtime, connection: Connection, run: Run, decision: Decision) -> tuple[int, list[dict[str, Any]]]:
    """Open the next generation, or take over the one that an earlier run left open, and name its documents."""
    number = decision.base.generation + 1 if decision.base else 1
    items = {(row["source"], row["uri"]): _action(row["change"]) for row in decision.work}
    target = decision.target
    left = open_generation(connection, run.kb)
    if left and (target is None or left.collection_id != target.id):
        undo_open_generation(runtime, connection, left)
    elif left:
        for row in queries().changed_documents(connection, collection_id=left.collection_id, generation=number):
            items.setdefault((row["source"], row["uri"]), "restore")
    target = target or _new_collection(runtime, connection, run, number)
    queries().open_next_generation(connection, kb=run.kb, generation=number, collection_id=target.id, run_id=run.run_id)
    return number, [{"source": s, "uri": u, "action": action} for (s, u), action in sorted(items.items())]


def _action(change: Change) -> str:
    return "remove" if change is Change.GONE else "open"


def _new_collection(runtime: Runtime, connection: Connection, run: Run, born: int) -> Collection:
    ingestion = run.config.ingestion
    embedder = runtime.embedder(ingestion.embeddings)
    made = new_collection(
        connection, run.kb, ingestion.vector_index, ingestion.embeddings, embedder.fingerprint, embedder.dims, born
    )
    runtime.index_in(connection, made).ensure()
    return made
