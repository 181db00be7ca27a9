"""`chunking:` how long a chunk is, counted in tokens of the embedder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from liftgate.config.block import Block


class Chunking(Block):
    """How elements become chunks. A change here chunks every document again."""

    strategy: Literal["recursive"] = "recursive"
    """`recursive` cuts at sections, then paragraphs, then lines, then sentences, then words."""
    chunk_size_tokens: int = Field(default=180, ge=16)
    """The longest chunk, headings included; with the embedder's special tokens it must fit the embedder."""
    chunk_overlap_tokens: int = Field(default=30, ge=0)
    """How much of the end of a chunk stands again at the start of the next one of the same section."""
    min_chunk_tokens: int = Field(default=40, ge=0)
    """A chunk shorter than this is joined to a neighbour, if both fit into one chunk."""
    include_headings: bool = True
    """Puts the path of headings at the start of the chunk's text, so that it is embedded and found."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> Chunking:
        for name in ("chunk_overlap_tokens", "min_chunk_tokens"):
            value = getattr(self, name)
            if value >= self.chunk_size_tokens:
                raise ValueError(
                    f"Expected {name} below chunk_size_tokens ({self.chunk_size_tokens}), found {value}. "
                    f"Lower {name} or raise chunk_size_tokens."
                )
        return self
