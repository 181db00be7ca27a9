"""The trainer's own report of how far it is, read from its log."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_STEP = re.compile(rf"\bstep (\d+)/(\d+) loss ({_NUMBER})(?: tokens/s ({_NUMBER}))?(?!\S)")


@dataclass(frozen=True)
class Progress:
    """How far a training is."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float | None = None

    def __str__(self) -> str:
        speed = "" if self.tokens_per_second is None else f", {self.tokens_per_second:.0f} tokens/s"
        return f"step {self.step} of {self.steps} ({100 * self.step // self.steps} %), loss {self.loss}{speed}"


def progress_in(line: str) -> Progress | None:
    """Example: "step 3/20 loss 1.234 tokens/s 120" -> Progress(3, 20, 1.234, 120.0); other lines -> None"""
    found = _STEP.search(line)
    if found is None or int(found[2]) == 0:
        return None
    return Progress(int(found[1]), int(found[2]), float(found[3]), float(found[4]) if found[4] else None)
