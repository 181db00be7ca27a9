"""Chunks to vectors: the embedders, their tokenizers, and the cache that spares what was embedded before."""

from liftgate.embedding.cached import EmbedCount, EmbeddingCache, embed_cached, text_hash
from liftgate.embedding.embedder import Embedder, embedder_for, problems, tokenizer

__all__ = [
    "EmbedCount",
    "Embedder",
    "EmbeddingCache",
    "embed_cached",
    "embedder_for",
    "problems",
    "text_hash",
    "tokenizer",
]
