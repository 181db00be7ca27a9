"""A document's bytes as pieces: parsed and chunked by one configuration."""

from __future__ import annotations

from liftgate import chunking, parsing
from liftgate.chunking import Piece
from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.embedding import tokenizer


def fingerprints_of(config: KnowledgeBase) -> dict[str, str]:
    """The fingerprints of today's parser and chunker."""
    ingestion = config.ingestion
    return {
        "parser": parsing.fingerprint(ingestion.parsing),
        "chunker": chunking.fingerprint(ingestion.chunking, tokenizer(ingestion.embeddings).name),
    }


def pieces_of(config: KnowledgeBase, uri: str, data: bytes) -> list[Piece]:
    """The pieces of a document. Raises DocumentUnreadable where a parser refuses it."""
    ingestion = config.ingestion
    elements = parsing.parse(data, uri, ingestion.parsing)
    return chunking.chunk(elements, ingestion.chunking, tokenizer(ingestion.embeddings))
