"""The training loop: completion-only loss, AdamW, a warm-up and a straight line down to 0."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from trainer import defaults
from trainer.base import device, left_padded
from trainer.checkpoints import Keeper, Parameters, Progress
from trainer.data import Example, length_grouped
from trainer.failures import Diverged
from trainer.threads import side_by_side


@dataclass(frozen=True)
class Schedule:
    """What is learnt from, in which order, and how fast."""

    examples: Sequence[Example]
    epochs: int
    max_steps: int | None
    batch_size: int
    seed: int
    lr: float

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        planned = self.epochs * math.ceil(len(self.examples) / self.batch_size)
        return min(planned, self.max_steps or planned)

    @property
    def completion_tokens(self) -> float:
        """Completion tokens of an average batch."""
        return self.batch_size * sum(len(one.completion) for one in self.examples) / len(self.examples)

    def batches(self) -> Iterator[list[Example]]:
        """The batch of every step, in order."""
        lengths = [len(example) for example in self.examples]
        for epoch in range(self.epochs):
            for batch in length_grouped(lengths, self.batch_size, self.seed, epoch):
                yield [self.examples[index] for index in batch]

    def rate(self, step: int) -> float:
        """Learning rate of a step (counted from 1).

        Example: 20 steps, 2 of them warm-up, lr=1.0 -> 0.5, 1.0, 1.0, 0.94, ..., 0.06
        """
        warmup = max(1, round(defaults.WARMUP_SHARE * self.steps))
        if step <= warmup:
            return self.lr * step / warmup
        return self.lr * (self.steps - step + 1) / (self.steps - warmup)


def train(model: Any, pad: int, schedule: Schedule, keeper: Keeper, resume: bool) -> Progress:
    """Trains the model's adapter in place. Raises Diverged when the loss is no longer a finite number."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), weight_decay=0.0)
    if not resume:
        keeper.clear()
    progress = keeper.restore(weights, optimizer)
    model.train()
    for step, batch in enumerate(schedule.batches(), start=1):
        if step > schedule.steps:
            break
        if step <= progress.step:
            continue
        _learn(model, pad, batch, schedule, weights, optimizer, progress)
        _report(progress, schedule.steps, batch)
        if step % keeper.every_steps == 0 and step < schedule.steps:
            keeper.save(progress, weights, optimizer)
    return progress


def _learn(
    model: Any,
    pad: int,
    batch: list[Example],
    schedule: Schedule,
    weights: Parameters,
    optimizer: torch.optim.AdamW,
    progress: Progress,
) -> None:
    started = time.monotonic()
    loss = set_gradients(model, pad, batch, schedule.completion_tokens, list(weights.values()))
    if not math.isfinite(loss):
        raise Diverged(
            f"Expected a finite loss at step {progress.step + 1}, found {loss}. Nothing was saved. "
            "Use a lower learning rate, or look for broken examples."
        )
    torch.nn.utils.clip_grad_norm_(weights.values(), defaults.MAX_GRADIENT_NORM)
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate(progress.step + 1)
    optimizer.step()
    progress.step += 1
    progress.losses.append(loss)
    progress.tokens += sum(map(len, batch))
    progress.seconds += time.monotonic() - started


def set_gradients(
    model: Any, pad: int, batch: list[Example], tokens: float, weights: Sequence[torch.nn.Parameter]
) -> float:
    """Sets the gradient of each weight and returns the loss of the batch (see completion_loss).

    On a CPU the examples are learnt side by side, each unpadded in a thread of its own. Gradients come back from the
    threads and are added in order: threads that added to `.grad` themselves would race.
    """

    def learnt(piece: list[Example]) -> tuple[float, tuple[torch.Tensor, ...]]:
        loss = completion_loss(model, pad, piece, tokens)
        return loss.item(), torch.autograd.grad(loss, weights)

    pieces = [[example] for example in batch] if device().type == "cpu" else [batch]
    done = list(side_by_side(learnt, pieces))
    for weight, *parts in zip(weights, *(gradients for _, gradients in done), strict=True):
        weight.grad = torch.stack(parts).sum(0)
    return sum(loss for loss, _ in done)


def completion_loss(model: Any, pad: int, batch: list[Example], tokens: float) -> torch.Tensor:
    """Cross-entropy over the completion tokens of a batch, divided by `tokens`; prompts and padding count nothing.

    tokens: the completion tokens of an average batch. With the mean of each batch in its place, a token of a short
    answer would weigh more than one of a long answer, and short refusals were learnt before anything else.
    """
    ids, mask, positions = left_padded([example.prompt + example.completion for example in batch], pad)
    # Rows end together, so all completions lie within the last `width` positions: only there are logits
    # computed, which for a large vocabulary saves a good part of the time and most of the memory.
    width = max(len(example.completion) for example in batch)
    with torch.autocast(device().type, torch.bfloat16, enabled=device().type != "cpu"):
        logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=width + 1).logits
    targets = ids[:, -width:].clone()
    for row, example in enumerate(batch):
        targets[row, : width - len(example.completion)] = -100
    flat = logits[:, :-1].float().flatten(0, 1)
    return torch.nn.functional.cross_entropy(flat, targets.flatten(), ignore_index=-100, reduction="sum") / tokens


def _report(progress: Progress, steps: int, batch: list[Example]) -> None:
    speed = progress.tokens / progress.seconds
    print(f"step {progress.step}/{steps} loss {progress.losses[-1]:.3f} tokens/s {speed:.0f}", flush=True)
