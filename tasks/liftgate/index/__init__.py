"""The index: rows of generations, in pgvector or Weaviate, behind one interface."""

from liftgate.index.rows import Chunk, Hit, chunk_id
from liftgate.index.vector_index import VectorIndex, index_in

__all__ = ["Chunk", "Hit", "VectorIndex", "chunk_id", "index_in"]
