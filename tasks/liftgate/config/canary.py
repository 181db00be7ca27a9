"""`canary:` some readers get a new adapter first."""

from __future__ import annotations

from pydantic import Field

from liftgate.config.block import Block
from liftgate.config.gate import Share


class Canary(Block):
    """A share of readers gets the adapter before all others do. Without this block a verdict is enough."""

    share: Share = 0.1
    """Share of readers, not of requests: whoever gets the canary gets it until it ends."""
    hours: float = Field(default=24, gt=0)
    """How long it runs, in hours. Only at the end is it judged good; bad it can be found at any time."""
    min_outcomes: int = Field(default=250, ge=1)
    """Answered requests that each side needs. Of an equal adapter with 90 % good answers, 250 decide 5 points at 80 %.
    They must also come from readers enough for the margin: 59 for 5 points."""
    margin: Share = 0.05
    """Loss of good answers that is tolerated, as a share: 0.05 is five points."""

    def __str__(self) -> str:
        """Example: share=0.1 -> "10 % of readers"."""
        return f"{self.share * 100:g} % of readers"
