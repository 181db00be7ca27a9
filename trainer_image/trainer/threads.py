"""Work on a CPU side by side: one thread for each piece, in place of all threads on one piece after the other.

Steps of a small model are too small to be shared by threads. Measured on two cores: one thread decodes a batch as fast
as two, and two examples side by side are learnt in four fifths of the time that they take as one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from trainer.base import device

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> Iterator[Result]:
    """The result of every piece, in order. On an accelerator, one after the other."""
    threads = torch.get_num_threads()
    at_once = min(threads, len(pieces)) if device().type == "cpu" else 1
    if at_once < 2:
        yield from map(work, pieces)
        return
    try:
        with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(threads // at_once,)) as pool:
            yield from pool.map(work, pieces)
    finally:
        torch.set_num_threads(threads)
