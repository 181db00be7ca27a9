"""`embeddings:` which model turns a chunk into a vector."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from liftgate.config.block import Block


class Known(NamedTuple):
    """What is known of a model without loading it."""

    dims: int
    max_tokens: int


OPENAI_MODELS = {
    "text-embedding-3-large": Known(dims=3072, max_tokens=8191),
    "text-embedding-3-small": Known(dims=1536, max_tokens=8191),
    "text-embedding-ada-002": Known(dims=1536, max_tokens=8191),
}


class Embeddings(Block):
    """The embedder. A change of model or dims starts a new collection."""

    model: str = Field(default="sentence-transformers/all-MiniLM-L6-v2", min_length=1)
    """The name of a model of the local profile, a folder that holds one, or a name of OpenAI's."""
    dims: int | None = Field(default=None, ge=1)
    """Keeps the first so many dimensions and normalises again; empty keeps what the model gives."""
    batch_size: int = Field(default=32, ge=1)
    """How many texts go through the model at once."""

    @property
    def provider(self) -> Literal["local", "openai"]:
        """Who computes the vectors, told by the model's name."""
        return "openai" if self.model in OPENAI_MODELS else "local"

    @model_validator(mode="after")
    def _dims_fit(self) -> Embeddings:
        known = OPENAI_MODELS.get(self.model)
        if known and self.dims and self.dims > known.dims:
            raise ValueError(
                f"Expected dims of at most {known.dims} for {self.model}, found {self.dims}. "
                "Lower embeddings.dims, or leave it out."
            )
        return self
