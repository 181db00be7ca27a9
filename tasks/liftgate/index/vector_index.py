"""What every index can do. One contract test runs over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from liftgate.config.retrieval import Retrieval
from liftgate.database import Connection
from liftgate.generations import Collection
from liftgate.index.rows import Chunk, Hit, Vector
from liftgate.index.servers import Servers
from liftgate.sources.identity import Document


class VectorIndex(Protocol):
    """The rows of one collection. Writing twice what was written changes nothing."""

    collection: Collection
    request_seconds: float
    """How long a request that was sent may go on changing rows; 0 where writes belong to the caller's transaction."""

    def ensure(self) -> None:
        """Make the collection in the index, if it is missing."""
        ...

    def exists(self) -> bool:
        """Whether the index has the collection. Raises IndexUnavailable where that cannot be told now."""
        ...

    def upsert(self, rows: Sequence[Chunk]) -> None:
        """Write rows of an open generation."""
        ...

    def mark_removed(self, ids: Iterable[UUID], generation: int) -> None:
        """Let rows that are present end before that generation."""
        ...

    def put_back(self, ids: Iterable[UUID], generation: int) -> None:
        """Undo `mark_removed` of that generation."""
        ...

    def delete(self, ids: Iterable[UUID]) -> None:
        """Delete rows for good."""
        ...

    def added(self, documents: Sequence[Document], generation: int) -> set[UUID]:
        """Ids of the rows of these documents that were added in that generation."""
        ...

    def ids(self, generation: int) -> set[UUID]:
        """Ids of every row that the generation sees."""
        ...

    def rows(self, generation: int, document: Document | None = None) -> Iterator[Chunk]:
        """The rows that the generation sees, of one document or of all."""
        ...

    def texts(self, ids: Sequence[UUID], groups: Sequence[str]) -> dict[UUID, str]:
        """Texts of these rows, of whatever generation, as far as they are there and one of the groups may read them."""
        ...

    def set_groups(self, document: Document, groups: Sequence[str], version: str | None = None) -> None:
        """Narrow every row of the document to these groups; rows of that version get exactly them."""
        ...

    def wider_than(self, allowed: Mapping[Document, Sequence[str]]) -> set[Document]:
        """Of these documents, those with a row that more than the allowed groups may read, in whatever generation."""
        ...

    def search(
        self, vector: Vector, text: str, k: int, generation: int, groups: Sequence[str], settings: Retrieval
    ) -> list[Hit]:
        """The k best rows that the generation sees and one of the groups may read, best first.

        vector: float32[dims] of unit length, of the question `text`. `settings.search` says which of them counts.
        """
        ...

    def settle(self) -> None:
        """Do what searching well needs after many rows were written."""
        ...

    def go_live(self, own: Sequence[str]) -> None:
        """Let the index's own alias for its knowledge base name this collection, where it has aliases.

        own: the names that the alias may have led to so far.
        """
        ...

    def prune(self, kept: Sequence[int]) -> int:
        """Delete the rows that none of these generations sees; return how many."""
        ...

    def drop(self) -> None:
        """Remove the whole collection from the index."""
        ...


def index_in(connection: Connection, servers: Servers, collection: Collection) -> VectorIndex:
    """The index of a collection. On pgvector its work is part of the connection's transaction.

    `servers` are the connections to index servers of this process.
    """
    if collection.provider == "weaviate":
        from liftgate.index.weaviate.index import WeaviateIndex

        return WeaviateIndex(servers.weaviate, collection, servers.settings.weaviate_timeout_seconds)
    from liftgate.index.pgvector import PgvectorIndex

    return PgvectorIndex(connection, collection)
