"""Elements to chunks: pieces that fit the embedder, do not mix sections, and lose no word."""

from liftgate.chunking.cutting import CHUNKER_VERSION, Piece, chunk, fingerprint

__all__ = ["CHUNKER_VERSION", "Piece", "chunk", "fingerprint"]
