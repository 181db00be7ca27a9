"""The processes that train together, as torchrun's environment describes them; without it there is one.

    RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT   set by the training operator and by torchrun
    LOCAL_RANK                                   set by torchrun: which of the machine's GPUs is this process's

Every process holds the whole model, learns its share of each batch, and adds its gradients to those of the others.
What is decided or stored is decided and stored by rank 0 alone, so the others need no access to the output folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from trainer.failures import ExpectedFailure, PeerLost

Item = TypeVar("Item")
Value = TypeVar("Value")

_NEEDED = ("RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class World:
    """This process among all of them. Each method that exchanges something must be called by every process."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process is the one that decides and stores."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """What falls to this process. Batches are sorted by length, so shares are about equally long.

        Example: items=[a, b, c], size=2 -> [a, c] for rank 0, [b] for rank 1
        """
        return items[self.rank :: self.size]

    def add_up(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replaces each tensor by its sum over all processes, in one exchange."""
        if self.size > 1:
            with _peers():
                _flattened(tensors, lambda flat: dist.all_reduce(flat))

    def spread(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replaces each tensor by that of rank 0, in one exchange."""
        if self.size > 1:
            with _peers():
                _flattened(tensors, lambda flat: dist.broadcast(flat, src=0))

    def agreed(self, value: Value) -> Value:
        """What rank 0 gives, whatever the others give."""
        if self.size == 1:
            return value
        holder = [value]
        with _peers():
            dist.broadcast_object_list(holder, src=0)
        return holder[0]


@contextmanager
def joined(peer_timeout_seconds: int) -> Iterator[World]:
    """Meets the other processes, and parts from them at the end.

    A process waits so long for the others, at the start and at every exchange, and then ends with PeerLost: where one
    has died, none hangs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    missing = [name for name in _NEEDED if name not in os.environ]
    if missing:
        raise ExpectedFailure(
            f"Expected {', '.join(_NEEDED)} beside WORLD_SIZE {size}, found no {', '.join(missing)}. "
            "Start the trainer with torchrun or as a PyTorchJob that has a Master."
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    with _peers():
        dist.init_process_group(backend, timeout=timedelta(seconds=peer_timeout_seconds))
    yield World(dist.get_rank(), size)
    dist.destroy_process_group()


def _flattened(tensors: Sequence[torch.Tensor], exchange: Callable[[torch.Tensor], Any]) -> None:
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    exchange(flat)
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.detach().copy_(part.view_as(tensor))


@contextmanager
def _peers() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what gloo, nccl and the store raise have no narrower class in common
        raise PeerLost(
            f"Expected every process of the job to take part, found that one did not ({str(error).splitlines()[0]}). "
            "Its own log says why it ended; with --resume the job goes on from its newest checkpoint."
        ) from error
