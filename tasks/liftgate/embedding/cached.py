"""Embed only what was not embedded before: a move, a rename or a way back costs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from liftgate.embedding.embedder import Embedder

if TYPE_CHECKING:
    import numpy as np


class EmbeddingCache(Protocol):
    """Vectors by embedder and text."""

    def get(self, fingerprint: str, hashes: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Those of the hashes that are there."""

    def put(self, fingerprint: str, vectors: Mapping[str, np.ndarray]) -> None:
        """Stores vectors; a hash that is there already keeps its vector."""


class EmbedCount(NamedTuple):
    """What an embedding step cost: texts that went through the model, and texts that did not have to."""

    embedded: int
    cached: int


def text_hash(text: str) -> str:
    """The cache's key of a text: SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def embed_cached(cache: EmbeddingCache, embedder: Embedder, texts: Sequence[str]) -> tuple[np.ndarray, EmbedCount]:
    """float32[len(texts), dims] in the order of the texts; a text that stands twice is embedded once."""
    import numpy as np

    hashes = [text_hash(text) for text in texts]
    vectors = dict(cache.get(embedder.fingerprint, sorted(set(hashes))))
    new = {key: text for key, text in zip(hashes, texts, strict=True) if key not in vectors}
    if new:
        embedded = dict(zip(new, embedder.embed(list(new.values())), strict=True))
        cache.put(embedder.fingerprint, embedded)
        vectors |= embedded
    rows = [np.asarray(vectors[key], dtype=np.float32) for key in hashes]
    stacked = np.stack(rows) if rows else np.empty((0, embedder.dims), dtype=np.float32)
    return stacked, EmbedCount(embedded=len(new), cached=len(texts) - len(new))
