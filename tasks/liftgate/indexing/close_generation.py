"""Close a generation: only when the rows in the index are exactly those of its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liftgate.access import apply_newer_than
from liftgate.comparing import compare_ids
from liftgate.database import Connection, queries
from liftgate.errors import IndexDiffers, SourceGaveNothing, TurnLost
from liftgate.fingerprints import canonical_json
from liftgate.generations import Collection, Generation, collection, generation
from liftgate.manifest import digest, entries
from liftgate.plan.planned import Plan, newest_plan
from liftgate.runs import Run
from liftgate.turns import renew_turn, require_turn

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

LEAST_REFUSED = 3
"""Fewer documents that cannot be read are no sign of a source that gives nothing."""


def close_generation(runtime: Runtime, run: Run) -> dict[str, Any]:
    """Compare the set of ids in the index with the manifest's and close the generation. Returns its counts.

    A generation that is closed already is compared again and not written. Raises IndexDiffers on any difference, and
    SourceGaveNothing where a source lists its documents and gives none.
    """
    with runtime.database.transaction() as connection:
        plan = newest_plan(connection, run.kb, run.run_id)
        target = generation(connection, run.kb, plan.generation)
        where = collection(connection, target.collection_id)
    if target.state != "open":
        compare_ids(runtime, where, target.generation)
        return target.counts
    if target.run_id != run.run_id:
        raise TurnLost(f"Expected generation {target.generation} to be written by {run.run_id}, found {target.run_id}.")
    _require_sources_that_give(runtime, run, plan)
    apply_newer_than(runtime, run.kb, plan.serial)
    compare_ids(runtime, where, target.generation)
    return _close(runtime, run, plan, target, where)


def _require_sources_that_give(runtime: Runtime, run: Run, plan: Plan) -> None:
    """Raise SourceGaveNothing where a source refused every document of it that the plan opened, in whatever batch.

    One or two may have a fault of their own (rights, a name), and are quarantined as among others that can be read.
    Of three and more it is the source's: a role that may list and not read, a key that expired. A document that moved
    on since it was listed, or that no parser takes, says nothing against its source, nor does one that every run tries
    again, and that was refused when an earlier generation closed without it.
    """
    with runtime.database.transaction() as connection:
        silent = list(queries().silent_sources(connection, plan_id=plan.id, least=LEAST_REFUSED))
        if silent:
            found = [f"source {row['source']}: none of {row['documents']}, first {row['reason']}" for row in silent]
            reason = (
                f"Expected the sources of {run.kb} to give the documents that they list, found of {'; '.join(found)} "
                "All are in quarantine; nothing of the index changed. Mend the source, or leave out by `include` what "
                "cannot be read, then start a new run, or clear list_sources and downstream."
            )
            queries().note_stopped_by(connection, run_id=run.run_id, reason=reason)
    if silent:
        raise SourceGaveNothing(reason)


def _close(runtime: Runtime, run: Run, plan: Plan, target: Generation, where: Collection) -> dict[str, Any]:
    turn = renew_turn(runtime, run)
    with runtime.database.transaction() as connection:
        require_turn(connection, turn)
        if unfinished := queries().unfinished_items(connection, plan_id=plan.id):
            raise IndexDiffers(
                f"Expected every document of plan {plan.id} to be worked off, found {unfinished} that are not. "
                "Clear index_changes and what is downstream of it."
            )
        counts = _counts(connection, plan, where)
        changed = list(queries().changed_documents(connection, collection_id=where.id, generation=target.generation))
        if changed:
            runtime.index_in(connection, where).settle()
        queries().close_generation(
            connection,
            kb=run.kb,
            generation=target.generation,
            state="closed" if changed else "empty",
            digest=digest(entries(connection, where.id, target.generation), where),
            counts=canonical_json(counts),
        )
    changed_nothing = "" if changed else ", and nothing changed: it holds what the one before it held"
    print(f"Generation {target.generation} of {run.kb} is closed{changed_nothing}: {counts}")
    return counts


def _counts(connection: Connection, plan: Plan, where: Collection) -> dict[str, Any]:
    """What the generation cost and holds, in documents and chunks."""
    outcomes = {row["outcome"]: row["documents"] for row in queries().outcomes(connection, plan_id=plan.id)}
    holds = list(entries(connection, where.id, plan.generation))
    return {
        "documents": len(holds),
        "chunks": sum(entry.chunks for entry in holds),
        "opened": queries().opened_documents(connection, plan_id=plan.id),
        "embedded": queries().embedded_for(connection, plan_id=plan.id),
        **outcomes,
    }
