"""The `ingestion:` block: from sources to rows in the index."""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

from pydantic import Field, model_validator

from liftgate.config.any_source import AnySource
from liftgate.config.block import Block
from liftgate.config.chunking import Chunking
from liftgate.config.embeddings import Embeddings
from liftgate.config.metadata import Metadata
from liftgate.config.parsing import Parsing
from liftgate.config.retrieval import Retrieval, VectorIndex


class Ingestion(Block):
    """Sources, parsing, chunking, embedding, index, and the defaults of a search."""

    sources: tuple[AnySource, ...] = Field(min_length=1)
    """Where documents come from. A single one may be written as `source:`."""
    parsing: Parsing = Parsing()
    """Which documents are read."""
    chunking: Chunking = Chunking()
    """How documents are cut."""
    metadata: Metadata = Metadata()
    """What is stored with a chunk."""
    embeddings: Embeddings = Embeddings()
    """The model that turns text into vectors."""
    vector_index: VectorIndex = VectorIndex()
    """Where the rows are."""
    retrieval_defaults: Retrieval = Retrieval()
    """How a search is made; part of every release."""

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, data: Any) -> Any:
        if isinstance(data, dict) and "source" in data:
            data = {**data, "sources": [*data.get("sources", []), data["source"]]}
            del data["source"]
        return data

    @model_validator(mode="after")
    def _citation_ids_are_unique(self) -> Self:
        names = Counter(source.name for source in self.sources)
        prefixes = Counter(source.doc_id_prefix for source in self.sources)
        if max(names.values()) > 1 or max(prefixes.values()) > 1:
            raise ValueError(
                "every source needs a name and a doc_id_prefix of its own, so that documents and citations "
                f"are told apart; found names {dict(names)} and prefixes {dict(prefixes)}"
            )
        return self

    @model_validator(mode="after")
    def _chunks_fit_the_context(self) -> Self:
        size, budget = self.chunking.chunk_size_tokens, self.retrieval_defaults.max_context_tokens
        if size > budget:
            raise ValueError(
                f"chunking.chunk_size_tokens is {size}, more than the {budget} tokens of "
                "retrieval_defaults.max_context_tokens, so none would fit a prompt; lower the one or raise the other"
            )
        return self

    @model_validator(mode="after")
    def _index_can_search_so(self) -> Self:
        index, search = self.vector_index.provider, self.retrieval_defaults.search
        if index == "pgvector" and search != "vector":
            raise ValueError(
                f"retrieval_defaults.search is {search}, which pgvector does not have; use vector, or "
                "vector_index.provider: weaviate"
            )
        return self
