"""Checks on what a model returned, and cutting vectors to fewer dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.errors import LiftgateError

if TYPE_CHECKING:
    import numpy as np

_TOLERANCE = 1e-3


def cut(vectors: np.ndarray, dims: int) -> np.ndarray:
    """The first `dims` dimensions, normalised again.

    Example: [[0.6, 0.0, 0.8]] cut to 2 -> [[1.0, 0.0]]
    """
    import numpy as np

    kept = vectors[:, :dims].astype(np.float32, copy=False)
    if dims == vectors.shape[1]:
        return kept
    return kept / np.linalg.norm(kept, axis=1, keepdims=True)


def checked(vectors: np.ndarray, count: int, dims: int) -> np.ndarray:
    """The vectors as float32, if there are `count` of `dims` finite numbers each, all of length 1."""
    import numpy as np

    if vectors.shape != (count, dims):
        raise LiftgateError(
            f"Expected {count} vectors of {dims} dimensions, found an array of {vectors.shape}. "
            "Check embeddings.model and embeddings.dims."
        )
    lengths = np.linalg.norm(vectors, axis=1)
    # A comparison with NaN is false, so that it counts as wrong here.
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _TOLERANCE))
    if len(wrong):
        raise LiftgateError(
            f"Expected vectors of length 1, found {len(wrong)} of {count} that are not, the first at "
            f"{wrong[0]} with length {lengths[wrong[0]]}. Check the embedder."
        )
    return vectors.astype(np.float32, copy=False)
