"""How sources are watched between the runs of the schedule."""

from __future__ import annotations

from pydantic import Field

from liftgate.config.block import Block


class Watch(Block):
    """A run starts soon after documents changed. Listing costs no document, but a request for each thousand or so."""

    poll_seconds: float = Field(default=60, ge=1)
    """How often the sources are listed."""
    settle_seconds: float = Field(default=30, ge=0)
    """How long a listing must have stayed the same before a run starts, so that no half-written upload is read."""
