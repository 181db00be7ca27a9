"""`validation:` what the expectation suites hold a generation and a tuning set to."""

from __future__ import annotations

from pydantic import Field, model_validator

from liftgate.config.block import Block


class Validation(Block):
    """Bounds of the suites. A failed suite stops the run before anything can go live."""

    max_quarantined_share: float = Field(default=0.05, ge=0, le=1)
    """The largest share of documents that may be unreadable."""
    max_duplicate_share: float = Field(default=0.02, ge=0, le=1)
    """The largest share of chunks whose text stands twice in the same document."""
    min_chunks: int = Field(default=1, ge=1)
    """The fewest chunks that a generation may show."""
    min_mean_chunk_tokens: float = Field(default=8, ge=0)
    """A lower mean length says that documents are cut to pieces."""
    min_examples: int = Field(default=40, ge=1)
    """The fewest examples that a tuning set may hold."""
    max_example_tokens: int = Field(default=1024, ge=1)
    """The longest example, prompt and completion together, in tokens of the base model."""
    min_refusal_share: float = Field(default=0.2, ge=0, le=1)
    """The smallest share of refusals in a tuning set: about a quarter is meant."""
    max_refusal_share: float = Field(default=0.35, ge=0, le=1)
    """The largest share of refusals in a tuning set: with more, the model learns to refuse."""

    @model_validator(mode="after")
    def _shares_in_order(self) -> Validation:
        if self.min_refusal_share > self.max_refusal_share:
            raise ValueError(
                f"Expected min_refusal_share of at most max_refusal_share ({self.max_refusal_share}), "
                f"found {self.min_refusal_share}. Lower the one or raise the other."
            )
        return self
