"""Write one document into an open generation, so that trying again, or taking over, ends in the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from liftgate.access import groups_to_write
from liftgate.database import Connection, queries
from liftgate.fingerprints import canonical_json
from liftgate.generations import Collection
from liftgate.index import Chunk, VectorIndex
from liftgate.index.rows import Vector
from liftgate.indexing.documents import Prepared
from liftgate.manifest import keep_entry, write_entry
from liftgate.plan.planned import Plan
from liftgate.sources.identity import doc_id
from liftgate.turns import Turn, require_turn

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def write_document(
    runtime: Runtime, turn: Turn, where: Collection, plan: Plan, prepared: Prepared, vectors: Vector, prefix: str
) -> None:
    """New rows first, then what they replace is marked, then the manifest: state never claims what was not written."""
    with runtime.database.transaction() as connection:
        require_turn(connection, turn)
        index = runtime.index_in(connection, where)
        rows = _rows(connection, plan, prepared, vectors, prefix)
        _converge(index, plan, prepared, rows)
        _write_manifest(connection, where, plan, prepared)
        _settle(connection, index, plan, prepared)
        queries().note_outcome(
            connection,
            plan_id=plan.id,
            source=prepared.document.source,
            uri=prepared.document.uri,
            outcome=canonical_json({"outcome": prepared.outcome, "opened": int(prepared.opened), "chunks": len(rows)}),
        )


def _rows(connection: Connection, plan: Plan, prepared: Prepared, vectors: Vector, prefix: str) -> list[Chunk]:
    entry, listing = prepared.entry, prepared.listing
    if entry is None or listing is None:
        return []
    groups = groups_to_write(connection, plan.kb, prepared.document, listing.version_hint, listing.groups)
    ids = entry.chunk_ids(plan.kb)
    return [
        Chunk(
            id=ids[piece.ordinal],
            source=entry.source,
            uri=entry.uri,
            doc_id=doc_id(entry.uri, prefix),
            version=entry.version,
            ordinal=piece.ordinal,
            section=piece.section,
            text=piece.text,
            tokens=piece.tokens,
            updated_at=entry.updated_at,
            groups=tuple(groups),
            embedding=vector,
            added_in=entry.added_in,
        )
        for piece, vector in zip(prepared.pieces, vectors, strict=True)
    ]


def _converge(index: VectorIndex, plan: Plan, prepared: Prepared, rows: list[Chunk]) -> None:
    """Leave exactly these rows of the generation, whatever an earlier attempt or another plan has written of it."""
    index.upsert(rows)
    index.delete(index.added(prepared.document, plan.generation) - {row.id for row in rows})
    before: list[UUID] = prepared.base.chunk_ids(plan.kb) if prepared.base else []
    if prepared.keeps:
        index.put_back(before, plan.generation)
    else:
        index.mark_removed(before, plan.generation)


def _write_manifest(connection: Connection, where: Collection, plan: Plan, prepared: Prepared) -> None:
    if not prepared.keeps:
        write_entry(connection, where.id, plan.generation, prepared.document, prepared.entry)
        return
    keep_entry(connection, where.id, plan.generation, prepared.document)
    if prepared.outcome in ("touched", "unchanged") and prepared.listing:
        queries().touch_manifest(
            connection,
            collection_id=where.id,
            source=prepared.document.source,
            uri=prepared.document.uri,
            version_hint=prepared.listing.version_hint,
            size_bytes=prepared.listing.size_bytes,
            updated_at=prepared.listing.updated_at,
        )


def _settle(connection: Connection, index: VectorIndex, plan: Plan, prepared: Prepared) -> None:
    """Quarantine or release the document; rows that were only touched get the groups that were listed for them."""
    of = {"kb": plan.kb, "source": prepared.document.source, "uri": prepared.document.uri}
    if prepared.quarantine and prepared.listing:
        queries().quarantine_document(
            connection,
            version_hint=prepared.listing.version_hint,
            run_id=plan.run_id,
            **vars(prepared.quarantine),
            **of,
        )
        return
    if prepared.outcome != "restored":
        queries().release_from_quarantine(connection, **of)
    if prepared.outcome == "touched" and prepared.base and prepared.listing:
        groups = groups_to_write(
            connection, plan.kb, prepared.document, prepared.listing.version_hint, prepared.listing.groups
        )
        index.set_groups(prepared.document, groups, version=prepared.base.version)
