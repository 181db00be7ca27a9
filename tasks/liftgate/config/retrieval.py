"""How chunks are found for a question. These settings are part of a release."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from liftgate.config.block import Block


class Weaviate(Block):
    """How a collection is made in Weaviate. A change counts for the next collection, which a new embedder starts."""

    distance: Literal["cosine", "dot", "l2-squared"] = "cosine"
    """Measure of nearness. Vectors have length 1, so that all three give one order; scores are cosines in any case."""
    quantization: Literal["none", "rq", "sq", "pq", "bq"] = "none"
    """Compresses vectors in memory: rotational, scalar, product or binary; each costs some recall."""
    replication_factor: int = Field(default=1, ge=1)
    """Copies of each shard, on as many nodes."""
    consistency_level: Literal["ONE", "QUORUM", "ALL"] = "QUORUM"
    """How many copies must answer a read. Writes wait for all copies, since a search asks one of them."""
    ef_construction: int = Field(default=128, ge=4)
    """Candidates that are looked at for each new vector: more builds slower, and finds better."""
    max_connections: int = Field(default=32, ge=4)
    """Edges of a vector in the graph: more takes memory, and finds better."""
    ef: int = Field(default=-1, ge=-1)
    """Candidates that a search looks at. -1 lets the server choose by the number of hits that are wanted."""
    flat_search_cutoff: int = Field(default=5000, ge=0)
    """Up to so many rows that a filter leaves, all are compared in place of walking the graph. Weaviate's is 40,000."""


class VectorIndex(Block):
    """Where the rows are."""

    provider: Literal["pgvector", "weaviate"] = "pgvector"
    """The index's kind."""
    table: str = Field(default="kb_chunks", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    """Prefix of the names of this knowledge base's collections."""
    dims: int | None = None
    """Dimensions, if you want them checked against the embedder's."""
    weaviate: Weaviate = Weaviate()
    """How a collection is made, if the provider is weaviate."""


class Retrieval(Block):
    """The defaults of a search."""

    search: Literal["vector", "keyword", "hybrid"] = "vector"
    """What is searched by: nearness of vectors, words (BM25), or both. All but vector needs weaviate."""
    alpha: float = Field(default=0.5, ge=0, le=1)
    """Weight of the vectors in a hybrid search: 0 counts words alone, 1 vectors alone."""
    top_k: int = Field(default=8, ge=1, le=100)
    """Chunks that a search returns."""
    rerank: bool = False
    """Order the hits again by a model that reads question and chunk together: at LIFTGATE_RERANK_URL, else here."""
    rerank_model: str | None = None
    """What that address is told to use, if it asks for a name; without an address, the folder of a cross-encoder."""
    max_context_tokens: int = Field(default=540, ge=16)
    """Tokens of context that a prompt may hold, counted by the generator's tokenizer."""
    min_score: float = Field(default=0.0, ge=-1, le=1)
    """Cosine under which the best hit counts as no answer: refused without calling the model."""
