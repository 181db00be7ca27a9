"""The loss of a batch and its gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from trainer.base import device, left_padded
from trainer.data import Example
from trainer.threads import side_by_side
from trainer.world import World


def set_gradients(
    model: Any,
    pad: int,
    examples: Sequence[Example],
    tokens: float,
    weights: Sequence[torch.nn.Parameter],
    pieces: int = 1,
) -> float:
    """Sets the gradient of each weight and returns the loss of the examples (see completion_loss).

    pieces: one is computed after the other, which takes less memory and changes nothing else.
    Gradients come back from the threads and are added in order: threads that added to `.grad` themselves would race.
    """

    def learnt(together: Sequence[Example]) -> tuple[float, tuple[torch.Tensor, ...]]:
        loss = completion_loss(model, pad, together, tokens)
        return loss.item(), torch.autograd.grad(loss, weights)

    total, sums = 0.0, [torch.zeros_like(weight) for weight in weights]
    for piece in _cut(examples, pieces):
        for loss, gradients in side_by_side(learnt, _together(piece)):
            total += loss
            for added, gradient in zip(sums, gradients, strict=True):
                added += gradient
    for weight, added in zip(weights, sums, strict=True):
        weight.grad = added
    return total


def mean_loss(model: Any, pad: int, examples: Sequence[Example], batch_size: int, world: World) -> float:
    """Cross-entropy of an average completion token of the examples, each process computing its share."""

    def measured(together: Sequence[Example]) -> float:
        with torch.no_grad():
            return float(completion_loss(model, pad, together, tokens=1))

    by_length = world.share(sorted(examples, key=len))
    batches = [part for piece in _cut(by_length, math.ceil(len(by_length) / batch_size)) for part in _together(piece)]
    total = torch.tensor([sum(side_by_side(measured, batches))], dtype=torch.float64, device=device())
    world.add_up([total])
    return total.item() / sum(len(example.completion) for example in examples)


def completion_loss(model: Any, pad: int, batch: Sequence[Example], tokens: float) -> torch.Tensor:
    """Cross-entropy over the completion tokens of a batch, divided by `tokens`; prompts and padding count nothing.

    tokens: the completion tokens of an average batch. With the mean of each batch in its place, a token of a short
    answer would weigh more than one of a long answer, and short refusals were learnt before anything else.
    """
    ids, mask, positions = left_padded([example.prompt + example.completion for example in batch], pad)
    # Rows end together, so all completions lie within the last `width` positions: only there are logits
    # computed, which for a large vocabulary saves a good part of the time and most of the memory.
    width = max(len(example.completion) for example in batch)
    with torch.autocast(device().type, torch.bfloat16, enabled=model.dtype == torch.bfloat16):
        logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=width + 1).logits
    targets = ids[:, -width:].clone()
    for row, example in enumerate(batch):
        targets[row, : width - len(example.completion)] = -100
    flat = logits[:, :-1].float().flatten(0, 1)
    return torch.nn.functional.cross_entropy(flat, targets.flatten(), ignore_index=-100, reduction="sum") / tokens


def _cut(examples: Sequence[Example], pieces: int) -> Iterator[Sequence[Example]]:
    """Pieces of equal size, the last one perhaps smaller; of nothing, none."""
    size = max(1, math.ceil(len(examples) / max(1, pieces)))
    return (examples[start : start + size] for start in range(0, len(examples), size))


def _together(piece: Sequence[Example]) -> list[Sequence[Example]]:
    """What goes through the model at once: on a CPU each example unpadded in a thread of its own."""
    return [[example] for example in piece] if device().type == "cpu" else [piece]
