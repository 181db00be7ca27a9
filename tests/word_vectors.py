"""Vectors from the words of a text, where a test needs an embedder's meaning without its model."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def word_vector(text: str, dims: int) -> NDArray[np.float32]:
    """float32[dims] of length 1. The same text gives the same vector, texts that share words are near."""
    total = np.full(dims, 1e-3, dtype=np.float32)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.sha256(word.strip(".,?").encode()).digest()[:4])
        total += np.random.default_rng(seed).standard_normal(dims).astype(np.float32)
    return np.asarray(total / np.linalg.norm(total), dtype=np.float32)
