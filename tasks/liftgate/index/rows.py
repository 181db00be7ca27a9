"""The rows of an index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from liftgate.generations import PRESENT

Vector = NDArray[np.float32]

_NAMESPACE = UUID("6f1d1b6e-5a0b-4f57-9d0e-6c3c1f1f7a10")


@dataclass(frozen=True, eq=False)
class Chunk:
    """A piece of a document with its vector: float32, unit length, as many dimensions as its collection has."""

    id: UUID
    source: str
    uri: str
    doc_id: str
    version: str
    ordinal: int
    section: str
    text: str
    tokens: int
    updated_at: datetime
    groups: tuple[str, ...]
    embedding: Vector
    added_in: int
    removed_in: int = PRESENT


@dataclass(frozen=True)
class Hit:
    """A chunk that a search found. `score` is the cosine of question and chunk."""

    id: UUID
    source: str
    uri: str
    doc_id: str
    section: str
    text: str
    tokens: int
    score: float


def chunk_id(
    kb: str, source: str, uri: str, version: str, parser: str, chunker: str, ordinal: int, added_in: int
) -> UUID:
    """The id of a row: the same on every retry, another one where content comes back after it was removed."""
    return uuid5(_NAMESPACE, "\0".join((kb, source, uri, version, parser, chunker, str(ordinal), str(added_in))))


def vector_text(vector: Vector) -> str:
    """A vector as pgvector reads it; seven digits are all that float32 has."""
    return "[" + ",".join(f"{number:.7g}" for number in vector) + "]"
