"""How sources are watched between the runs of the schedule."""

from __future__ import annotations

from pydantic import Field

from liftgate.config.block import Block


class Watch(Block):
    """A run starts soon after documents changed. A look is a listing: no document is opened, but every one is named."""

    poll_seconds: float = Field(default=60, ge=1)
    """How often the sources are listed."""
    settle_seconds: float = Field(default=30, ge=0)
    """How long a listing must have stayed the same before a run starts, so that no half-written upload is read."""
