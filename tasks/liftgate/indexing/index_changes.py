"""Work off one batch of a plan, some documents in each transaction: a retry goes on where it stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from liftgate.database import queries
from liftgate.errors import TurnLost
from liftgate.generations import Collection, Generation, collection, generation
from liftgate.index.rows import Vector
from liftgate.indexing.documents import Prepared, Preparer
from liftgate.indexing.write import Ready, write_documents
from liftgate.plan.planned import Plan, newest_plan
from liftgate.runs import Run
from liftgate.turns import renew_turn

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

DOCUMENTS_AT_ONCE = 50
CHUNKS_AT_ONCE = 500


def index_changes(runtime: Runtime, run: Run, batch: int) -> dict[str, int]:
    """Open, parse, chunk, embed and write the documents of a batch. Returns how many ended how.

    A batch of a generation that is closed already writes nothing. Raises TurnLost where another run writes now.
    """
    with runtime.database.transaction() as connection:
        plan = newest_plan(connection, run.kb, run.run_id)
        target = generation(connection, run.kb, plan.generation)
        where = collection(connection, target.collection_id)
        items = list(queries().items_of_batch(connection, plan_id=plan.id, batch=batch))
    if plan.kind != "index" or target.state != "open":
        why = "is written already" if plan.kind == "index" else "holds what the run looked at; it is only judged again"
        print(f"Nothing to write: generation {target.generation} {why}.")
        return {}
    _require_own(run, target)
    return _work_off(runtime, run, where, plan, items)


def name_of_batch(runtime: Runtime, run: Run, batch: int) -> str:
    """What a person calls a batch.

    Example: 65-128 of 230: hr/leave.md ...
    """
    with runtime.database.transaction() as connection:
        plan = newest_plan(connection, run.kb, run.run_id)
        extent = queries().extent_of_batch(connection, plan_id=plan.id, batch=batch)
    if not extent["documents"]:
        return "nothing to write"
    first, last = extent["before"] + 1, extent["before"] + extent["documents"]
    return f"{first}-{last} of {extent['total']}: {extent['first_uri']}" + (" ..." if last > first else "")


def _require_own(run: Run, target: Generation) -> None:
    """A task that is cleared late may find that another run has taken the generation over."""
    if target.run_id != run.run_id:
        raise TurnLost(
            f"Expected generation {target.generation} to be written by {run.run_id}, found {target.run_id} "
            "writing it. Nothing was written. Clear plan_changes and what is downstream of it."
        )


def _work_off(runtime: Runtime, run: Run, where: Collection, plan: Plan, items: list[dict[str, Any]]) -> dict[str, int]:
    with runtime.database.transaction() as connection:
        preparer = Preparer(connection, runtime.index_in(connection, where), run, plan, runtime.connections)
        prepared = [preparer.prepare(item) for item in items]
    texts = [piece.text for document in prepared for piece in document.pieces]
    vectors, cost = runtime.embed(where.embeddings, texts, plan.id)
    print(f"{len(items)} documents, {len(texts)} chunks: {cost.embedded} embedded, {cost.cached} known already")
    for group in _groups(_ready(run, prepared, vectors)):
        write_documents(runtime, renew_turn(runtime, run), where, plan, group)
    return _summary(prepared)


def _ready(run: Run, prepared: Sequence[Prepared], vectors: Vector) -> Iterator[Ready]:
    """Each document with its vectors, which lie one after the other in the order of the documents."""
    prefixes = {source.name: source.doc_id_prefix for source in run.config.ingestion.sources}
    start = 0
    for document in prepared:
        end = start + len(document.pieces)
        yield Ready(document, vectors[start:end], prefixes.get(document.document.source, ""))
        start = end


def _groups(ready: Iterable[Ready]) -> Iterator[list[Ready]]:
    """Documents that are written together: few requests and commits, and little to do again where one fails."""
    group: list[Ready] = []
    for one in ready:
        group.append(one)
        if len(group) == DOCUMENTS_AT_ONCE or sum(len(each.vectors) for each in group) >= CHUNKS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _summary(prepared: list[Prepared]) -> dict[str, int]:
    for document in prepared:
        if document.quarantine:
            print(f"Quarantined {document.document.uri}: {document.quarantine.reason}")
    return dict(Counter(document.outcome for document in prepared))
