import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from liftgate.embedding import EmbedCount, embed_cached, text_hash


class Memory:
    """A cache that lives as long as a test."""

    def __init__(self) -> None:
        self.vectors: dict[tuple[str, str], np.ndarray] = {}

    def get(self, fingerprint: str, hashes: Sequence[str]) -> dict[str, np.ndarray]:
        return {key: self.vectors[fingerprint, key] for key in hashes if (fingerprint, key) in self.vectors}

    def put(self, fingerprint: str, vectors: Mapping[str, np.ndarray]) -> None:
        self.vectors |= {(fingerprint, key): vector for key, vector in vectors.items()}


class Hashing:
    """An embedder without a model: a direction drawn from the text."""

    dims, max_tokens = 8, 256

    def __init__(self, fingerprint: str = "hashing"):
        self.fingerprint = fingerprint
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += texts
        digests = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
        vectors = np.array([list(digest) for digest in digests], dtype=np.float32) + 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_vectors_come_in_the_order_of_the_texts_and_duplicates_are_embedded_once():
    embedder = Hashing()
    vectors, count = embed_cached(Memory(), embedder, ["b", "a", "b"])
    assert embedder.seen == ["b", "a"]
    assert count == EmbedCount(embedded=2, cached=1)
    assert np.array_equal(vectors, Hashing().embed(["b", "a", "b"]))


def test_what_was_embedded_before_is_not_embedded_again():
    memory, embedder = Memory(), Hashing()
    embed_cached(memory, embedder, ["a", "b"])
    vectors, count = embed_cached(memory, embedder, ["b", "c"])
    assert embedder.seen == ["a", "b", "c"]
    assert count == EmbedCount(embedded=1, cached=1)
    assert np.array_equal(vectors[0], Hashing().embed(["b"])[0])


def test_another_embedder_does_not_get_the_first_ones_vectors():
    memory = Memory()
    embed_cached(memory, Hashing("one"), ["a"])
    assert embed_cached(memory, Hashing("other"), ["a"])[1].embedded == 1
    assert set(memory.vectors) == {("one", text_hash("a")), ("other", text_hash("a"))}


def test_no_texts_give_no_rows():
    vectors, count = embed_cached(Memory(), Hashing(), [])
    assert vectors.shape == (0, 8)
    assert count == EmbedCount(0, 0)
