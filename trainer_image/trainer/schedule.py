"""What is learnt at which step, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainer import defaults
from trainer.data import Example, shuffled_batches


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
            for batch in shuffled_batches(lengths, self.batch_size, self.seed, epoch):
                yield [self.examples[index] for index in batch]

    def after(self, step: int) -> Iterator[tuple[int, list[Example]]]:
        """(step, its batch) of every step that is left once this one is done."""
        for number, batch in zip(range(1, self.steps + 1), self.batches(), strict=False):
            if number > step:
                yield number, batch

    def rate(self, step: int) -> float:
        """Learning rate of a step (counted from 1).

        Example: 20 steps, 2 of them warm-up, lr=1.0 -> 0.5, 1.0, 1.0, 0.94, ..., 0.06
        """
        warmup = max(1, round(defaults.WARMUP_SHARE * self.steps))
        if step <= warmup:
            return self.lr * step / warmup
        return self.lr * (self.steps - step + 1) / (self.steps - warmup)
