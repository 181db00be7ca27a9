"""What stops a run before it touches the index."""

from __future__ import annotations

from pydantic import Field

from liftgate.config.block import Block


class Brakes(Block):
    """Limits of what a run may do unasked. A run's params can allow more, once."""

    max_removed_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the indexed documents that one listing may remove."""
    max_widened_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the listed documents that may become readable by more groups at once."""
    max_opened_share: float = Field(default=0.3, ge=0, le=1)
    """Share of the listed documents that a run after the first may open and embed."""
    max_opened_documents: int = Field(default=100_000, ge=0)
    """Number of documents that a run after the first may open and embed."""
    price_per_million_tokens: float = Field(default=0, ge=0)
    """Price of embedding, in any currency, for the estimate that a brake shows."""


class Indexing(Block):
    """How the work of a run is cut."""

    batch_documents: int = Field(default=64, ge=1)
    """Documents in one mapped task. Grown where a plan would have over a thousand tasks."""
    turn_minutes: float = Field(default=60, gt=0)
    """How long the writer's lease lasts without being renewed. Covers the time that a task waits in a queue."""


class Retention(Block):
    """How long what is no longer live can be gone back to."""

    keep_releases: int = Field(default=5, ge=1)
    """How many releases that were live are kept, with the rows that they see."""
    keep_hours: float = Field(default=24, ge=0)
    """A release is kept at least this long after it left live, for readers who hold its number."""
