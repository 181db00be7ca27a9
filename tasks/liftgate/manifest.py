"""The manifest: which version of which document a generation holds, and the ids of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from liftgate.database import Connection, queries
from liftgate.fingerprints import digest_of
from liftgate.generations import Collection
from liftgate.index.rows import chunk_id
from liftgate.sources.identity import Document


@dataclass(frozen=True)
class Entry:
    """A document in a generation."""

    source: str
    uri: str
    version: str
    version_hint: str
    parser: str
    chunker: str
    size_bytes: int
    updated_at: datetime
    chunks: int
    tokens: int
    added_in: int

    @property
    def document(self) -> Document:
        """The document's identity."""
        return Document(self.source, self.uri)

    def chunk_ids(self, kb: str) -> list[UUID]:
        """The ids of the document's rows, in order. Nothing has to be stored to know them."""
        return [
            chunk_id(kb, self.source, self.uri, self.version, self.parser, self.chunker, ordinal, self.added_in)
            for ordinal in range(self.chunks)
        ]


def entries(connection: Connection, collection_id: int, generation: int) -> Iterator[Entry]:
    """What a generation holds, by document."""
    for row in queries().manifest_entries(connection, collection_id=collection_id, generation=generation):
        yield Entry(**row)


def entry_of(connection: Connection, collection_id: int, generation: int, document: Document) -> Entry | None:
    """One document in a generation, if it is there."""
    row = queries().manifest_entry(
        connection, collection_id=collection_id, generation=generation, source=document.source, uri=document.uri
    )
    return Entry(**row) if row else None


def twin_of(
    connection: Connection, collection_id: int, generation: int, version: str, parser: str, chunker: str
) -> Entry | None:
    """Any document with that content, parsed and chunked in that way, whose chunks can be taken over."""
    row = queries().manifest_twin(
        connection,
        collection_id=collection_id,
        generation=generation,
        version=version,
        parser=parser,
        chunker=chunker,
    )
    return Entry(**row) if row else None


def write_entry(
    connection: Connection, collection_id: int, generation: int, document: Document, new: Entry | None
) -> None:
    """Let an open generation hold this entry for the document, or (None) not hold the document at all."""
    of = {"collection_id": collection_id, "generation": generation, "source": document.source, "uri": document.uri}
    queries().undo_manifest(connection, **of)
    queries().mark_manifest_removed(connection, **of)
    if new is not None:
        queries().add_manifest_entry(connection, collection_id=collection_id, **vars(new))


def keep_entry(connection: Connection, collection_id: int, generation: int, document: Document) -> None:
    """Let an open generation hold the document as the last one did."""
    queries().undo_manifest(
        connection, collection_id=collection_id, generation=generation, source=document.source, uri=document.uri
    )


def digest(entries: Iterable[Entry], where: Collection) -> str:
    """What a generation holds and in which index, as one hash: contents and fingerprints, no numbers.

    The index counts: whoever moves to another one wants it to go live, although it holds the same.
    """
    lines = (f"{e.source}\0{e.uri}\0{e.version}\0{e.parser}\0{e.chunker}" for e in entries)
    return digest_of([where.embedder, where.provider, where.vector_index.table, *sorted(lines)])


def tokens_of(rows: Iterable[dict[str, Any]]) -> int:
    """Tokens to embed for documents about to be opened: as many as last time, or a quarter of the bytes."""
    return sum(row["tokens"] if row["tokens"] is not None else row["size_bytes"] // 4 for row in rows)
