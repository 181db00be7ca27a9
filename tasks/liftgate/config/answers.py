"""The model that answers, and how it is asked."""

from __future__ import annotations

from pydantic import Field

from liftgate.config.block import Block
from liftgate.config.jobs import JobBlock
from liftgate.config.paths import ExistingPath


class Answers(Block):
    """The generator of the first release. Later ones take base and prompt from what is live."""

    base_model: str = "HuggingFaceTB/SmolLM2-135M-Instruct"
    """Name or folder of the base model."""
    prompt: ExistingPath
    """The prompt's file; its content hash is its version."""
    max_new_tokens: int = Field(default=96, ge=8)
    """Longest answer."""
    job: JobBlock = JobBlock()
    """Where the answers of evaluations are generated."""
