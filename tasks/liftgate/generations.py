"""Generations: numbered states of an index, of which a row is part from `added_in` until before `removed_in`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from liftgate.config.embeddings import Embeddings
from liftgate.config.retrieval import VectorIndex
from liftgate.database import Connection, queries

PRESENT = 2147483647
"""The `removed_in` of a row that has not been removed."""


@dataclass(frozen=True)
class Collection:
    """The rows of one embedder for one knowledge base, from the generation in which it was born."""

    id: int
    kb: str
    name: str
    provider: str
    embedder: str
    embeddings: Embeddings
    dims: int
    born_generation: int
    vector_index: VectorIndex


@dataclass(frozen=True)
class Generation:
    """One generation: open while a run writes it, then closed, or empty where nothing differed."""

    kb: str
    generation: int
    collection_id: int
    state: str
    run_id: str
    digest: str | None
    counts: dict[str, Any]
    opened_at: datetime
    closed_at: datetime | None
    pruned_at: datetime | None


def collections_of(connection: Connection, kb: str) -> list[Collection]:
    """Every collection of a knowledge base that the index has, oldest first."""
    return [_collection(row) for row in queries().collections(connection, kb=kb)]


def collection(connection: Connection, collection_id: int) -> Collection:
    """The collection with that id."""
    return _collection(queries().collection(connection, id=collection_id))


def new_collection(
    connection: Connection,
    kb: str,
    vector_index: VectorIndex,
    embeddings: Embeddings,
    embedder: str,
    dims: int,
    born_generation: int,
) -> Collection:
    """A collection of its own for an embedder, named also by the generation in which it is born."""
    row = queries().add_collection(
        connection,
        kb=kb,
        # Never that of another installation over the same server, and short enough for PostgreSQL.
        name=f"{f'{vector_index.table}_{kb}'[:40]}_g{born_generation}_{embedder[:6]}_{token_hex(3)}",
        provider=vector_index.provider,
        embedder=embedder,
        embeddings=embeddings.model_dump_json(),
        dims=dims,
        born_generation=born_generation,
        vector_index=vector_index.model_dump_json(),
    )
    return _collection(row)


def last_closed(connection: Connection, kb: str) -> Generation | None:
    """The generation that was closed last, whatever is live: the base of the next one."""
    return _generation(queries().last_closed_generation(connection, kb=kb))


def open_generation(connection: Connection, kb: str) -> Generation | None:
    """The generation that is being written, if one is."""
    return _generation(queries().open_generation(connection, kb=kb))


def generation(connection: Connection, kb: str, number: int) -> Generation:
    """The generation of that number. Raises LookupError if there is none."""
    found = _generation(queries().generation(connection, kb=kb, generation=number))
    if found is None:
        raise LookupError(f"Expected generation {number} of {kb}, found none.")
    return found


def _collection(row: dict[str, Any]) -> Collection:
    embeddings, vector_index = (
        Embeddings.model_validate(row["embeddings"]),
        VectorIndex.model_validate(row["vector_index"]),
    )
    return Collection(**{**row, "embeddings": embeddings, "vector_index": vector_index})


def _generation(row: dict[str, Any] | None) -> Generation | None:
    return Generation(**row) if row else None
