"""How chunks are found for a question. These settings are part of a release."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from liftgate.config.block import Block


class VectorIndex(Block):
    """Where the rows are."""

    provider: Literal["pgvector", "weaviate"] = "pgvector"
    """The index's kind."""
    table: str = Field(default="kb_chunks", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    """Prefix of the names of this knowledge base's collections."""
    dims: int | None = None
    """Dimensions, if you want them checked against the embedder's."""


class Retrieval(Block):
    """The defaults of a search."""

    top_k: int = Field(default=8, ge=1, le=100)
    """Chunks that a search returns."""
    rerank: bool = False
    """Order the hits again by a cross-encoder; needs `rerank_model`."""
    rerank_model: str | None = None
    """Name or folder of the cross-encoder."""
    max_context_tokens: int = Field(default=540, ge=16)
    """Tokens of context that a prompt may hold, counted by the generator's tokenizer."""
    min_score: float = Field(default=0.0, ge=-1, le=1)
    """Cosine under which the best hit counts as no answer: refused without calling the model."""
