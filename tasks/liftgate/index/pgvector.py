"""The index on PostgreSQL with pgvector: one partition of `chunks` for each collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import sql

from liftgate.config.retrieval import Retrieval
from liftgate.database import Connection, queries
from liftgate.fingerprints import canonical_json
from liftgate.generations import Collection
from liftgate.index.rows import Chunk, Hit, Vector, vector_text
from liftgate.sources.identity import Document

MAX_SCAN_TUPLES = 100_000
"""How many rows an iterative index scan may look at before it gives up; see facts on filtered HNSW in README."""


class PgvectorIndex:
    """Rows are halfvec, since an HNSW index over more than 2,000 dimensions needs it, and half the size suffices."""

    def __init__(self, connection: Connection, collection: Collection):
        self.collection = collection
        self.request_seconds = 0.0
        self._connection = connection
        self._scans_iteratively = False

    def ensure(self) -> None:
        """Make the partition with its HNSW index. Its check refuses vectors of another number of dimensions.

        It is made first and attached then, which does not make readers of other collections wait.
        """
        if self.exists():
            return
        names = {
            "name": sql.Identifier(self.collection.name),
            "index": sql.Identifier(f"{self.collection.name}_hnsw"),
            "dims": sql.Literal(self.collection.dims),
            "id": sql.Literal(self.collection.id),
        }
        for statement in (
            "CREATE TABLE {name} (LIKE chunks INCLUDING ALL, CHECK (vector_dims(embedding) = {dims}))",
            "ALTER TABLE chunks ATTACH PARTITION {name} FOR VALUES IN ({id})",
            "CREATE INDEX {index} ON {name} USING hnsw ((embedding::halfvec({dims})) halfvec_cosine_ops)",
        ):
            self._connection.execute(sql.SQL(statement).format(**names))

    def exists(self) -> bool:
        """Whether the partition is there."""
        return bool(queries().relation_exists(self._connection, name=self.collection.name))

    def upsert(self, rows: Sequence[Chunk]) -> None:
        """Write rows; a row that is there already gets the new values."""
        queries().upsert_chunks(self._connection, [self._values(row) for row in rows])

    def mark_removed(self, ids: Iterable[UUID], generation: int) -> None:
        """Let rows that are present end before that generation."""
        queries().mark_chunks_removed(self._connection, **self._some(ids), generation=generation)

    def put_back(self, ids: Iterable[UUID], generation: int) -> None:
        """Undo `mark_removed` of that generation."""
        queries().put_chunks_back(self._connection, **self._some(ids), generation=generation)

    def delete(self, ids: Iterable[UUID]) -> None:
        """Delete rows for good."""
        queries().delete_chunks(self._connection, **self._some(ids))

    def added(self, documents: Sequence[Document], generation: int) -> set[UUID]:
        """Ids of the rows of these documents that were added in that generation."""
        rows = queries().chunks_added(
            self._connection,
            collection_id=self.collection.id,
            sources=[document.source for document in documents],
            uris=[document.uri for document in documents],
            generation=generation,
        )
        return {row["id"] for row in rows}

    def ids(self, generation: int) -> set[UUID]:
        """Ids of every row that the generation sees."""
        rows = queries().chunk_ids(self._connection, collection_id=self.collection.id, generation=generation)
        return {row["id"] for row in rows}

    def rows(self, generation: int, document: Document | None = None) -> Iterator[Chunk]:
        """The rows that the generation sees, of one document or of all, by document and position."""
        source, uri = document or (None, None)
        found = queries().chunk_rows(
            self._connection, collection_id=self.collection.id, generation=generation, source=source, uri=uri
        )
        for row in found:
            embedding = np.asarray(row.pop("embedding"), dtype=np.float32)
            yield Chunk(**{**row, "groups": tuple(row["groups"]), "embedding": embedding})

    def texts(self, ids: Sequence[UUID], groups: Sequence[str]) -> dict[UUID, str]:
        """Texts of these rows, as far as they are there and one of the groups may read them."""
        rows = queries().chunk_texts(self._connection, **self._some(ids), groups=list(groups))
        return {row["id"]: row["text"] for row in rows}

    def set_groups(self, document: Document, groups: Sequence[str], version: str | None = None) -> None:
        """Narrow every row of the document; rows of that version get exactly these groups."""
        queries().set_chunk_groups(self._connection, **self._of(document), groups=list(groups), version=version)

    def wider_than(self, allowed: Mapping[Document, Sequence[str]]) -> set[Document]:
        """Of these documents, those with a row that more than the allowed groups may read."""
        listed = [{"source": of.source, "uri": of.uri, "groups": list(groups)} for of, groups in allowed.items()]
        rows = queries().wider_chunks(
            self._connection, collection_id=self.collection.id, allowed=canonical_json(listed)
        )
        return {Document(row["source"], row["uri"]) for row in rows}

    def search(
        self, vector: Vector, text: str, k: int, generation: int, groups: Sequence[str], settings: Retrieval
    ) -> list[Hit]:
        """Nearest rows by cosine, the only search that is configured here.

        The scan goes on until k rows pass the filter, or small groups would get none.
        """
        if not self._scans_iteratively:  # a setting of the transaction
            queries().scan_iteratively(self._connection, most=str(MAX_SCAN_TUPLES))
            self._scans_iteratively = True
        statement = queries().search_chunks.sql.replace("DIMS", str(self.collection.dims))
        found = self._connection.execute(
            statement,
            {
                "collection_id": self.collection.id,
                "vector": vector_text(vector),
                "k": k,
                "generation": generation,
                "groups": list(groups),
            },
        )
        return [Hit(**row) for row in found]

    def settle(self) -> None:
        """Count the rows anew. Until then the planner takes the collection for small, and sorts it at each search."""
        self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(self.collection.name)))

    def go_live(self, own: Sequence[str]) -> None:
        """PostgreSQL has no alias: the view `live_releases` says where to read."""

    def prune(self, kept: Sequence[int]) -> int:
        """Delete the rows that none of these generations sees."""
        pruned: int = queries().prune_chunks(self._connection, collection_id=self.collection.id, kept=list(kept))
        return pruned

    def drop(self) -> None:
        """Drop the partition."""
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(self.collection.name)))

    def _of(self, document: Document) -> dict[str, Any]:
        return {"collection_id": self.collection.id, "source": document.source, "uri": document.uri}

    def _some(self, ids: Iterable[UUID]) -> dict[str, Any]:
        return {"collection_id": self.collection.id, "ids": list(ids)}

    def _values(self, row: Chunk) -> dict[str, Any]:
        values = {**vars(row), "collection_id": self.collection.id, "groups": list(row.groups)}
        return {**values, "embedding": vector_text(row.embedding)}
