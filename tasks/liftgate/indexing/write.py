"""Write documents into an open generation, so that trying again, or taking over, ends in the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class Ready:
    """A document with the vectors of its pieces: float32[pieces, dims]. `prefix` is that of its source's citations."""

    prepared: Prepared
    vectors: Vector
    prefix: str


def write_documents(runtime: Runtime, turn: Turn, where: Collection, plan: Plan, group: Sequence[Ready]) -> None:
    """New rows first, then what they replace is marked, then the manifest: state never claims what was not written."""
    with runtime.database.transaction() as connection:
        index = runtime.index_in(connection, where)
        require_turn(connection, turn, index.request_seconds)
        rows = [row for one in group for row in _rows(connection, plan, one)]
        prepared = [one.prepared for one in group]
        _converge(index, plan, prepared, rows)
        for one in prepared:
            _write_manifest(connection, where, plan, one)
            _settle(connection, index, plan, one)
            outcome = {"outcome": one.outcome, "opened": int(one.opened), "chunks": len(one.pieces), "given": one.given}
            queries().note_outcome(
                connection,
                plan_id=plan.id,
                source=one.document.source,
                uri=one.document.uri,
                outcome=canonical_json(outcome),
            )


def _rows(connection: Connection, plan: Plan, ready: Ready) -> list[Chunk]:
    prepared = ready.prepared
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
            doc_id=doc_id(entry.uri, ready.prefix),
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
        for piece, vector in zip(prepared.pieces, ready.vectors, strict=True)
    ]


def _converge(index: VectorIndex, plan: Plan, group: Sequence[Prepared], rows: list[Chunk]) -> None:
    """Leave exactly these rows of the generation, whatever an earlier attempt or another plan has written of it."""
    index.upsert(rows)
    index.delete(index.added([one.document for one in group], plan.generation) - {row.id for row in rows})
    before = {one.document: one.base.chunk_ids(plan.kb) for one in group if one.base}
    kept = {one.document for one in group if one.keeps}
    index.put_back([id for document, ids in before.items() if document in kept for id in ids], plan.generation)
    index.mark_removed([id for document, ids in before.items() if document not in kept for id in ids], plan.generation)


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
