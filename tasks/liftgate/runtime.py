"""What every step works with: its first argument, made from settings once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from liftgate.answering.generator import Generator, LocalGenerator
from liftgate.answering.openai import OpenAIGenerator, answered_by
from liftgate.config.embeddings import Embeddings
from liftgate.database import Connection, Database, queries
from liftgate.embedding import EmbedCount, Embedder, embed_cached, embedder_for
from liftgate.generations import Collection
from liftgate.index import VectorIndex, index_in
from liftgate.index.rows import Hit, Vector, vector_text
from liftgate.index.servers import Servers
from liftgate.releases.makeup import Makeup
from liftgate.reranking import Scorer, rerank, scorer_for
from liftgate.settings import Settings
from liftgate.sources.connections import Connections, connection_from_environment


@dataclass(frozen=True)
class Runtime:
    """Database, index, embedder, generator and files. Nothing else in the library knows the profile."""

    settings: Settings
    _embedders: dict[Embeddings, Embedder] = field(default_factory=dict, repr=False)
    connections: Connections = field(default=connection_from_environment, repr=False)
    """How the servers of sources are found."""
    _scorers: dict[str | None, Scorer] = field(default_factory=dict, repr=False)

    @cached_property
    def database(self) -> Database:
        """The database of Liftgate."""
        return Database(self.settings.database_url)

    @cached_property
    def servers(self) -> Servers:
        """Connections to index servers."""
        return Servers(self.settings)

    @property
    def files(self) -> Path:
        """Where tuning sets, adapters and reports are kept."""
        return self.settings.files

    def index_in(self, connection: Connection, collection: Collection) -> VectorIndex:
        """The index of a collection; on pgvector part of the connection's transaction."""
        return index_in(connection, self.servers, collection)

    def embedder(self, embeddings: Embeddings) -> Embedder:
        """The embedder for those settings, loaded at most once in a process."""
        if embeddings not in self._embedders:
            self._embedders[embeddings] = embedder_for(embeddings, self.settings)
        return self._embedders[embeddings]

    def embed(
        self, embeddings: Embeddings, texts: Sequence[str], plan_id: int | None = None
    ) -> tuple[Vector, EmbedCount]:
        """float32[len(texts), dims] of unit length; texts that this embedder has seen are not embedded again."""
        return embed_cached(_Cache(self.database, plan_id), self.embedder(embeddings), texts)

    def generator(self, makeup: Makeup) -> Generator:
        """What answers as that release does."""
        kind = LocalGenerator if self.answered_by is None else OpenAIGenerator
        return kind(self.settings, makeup)

    @property
    def answered_by(self) -> str | None:
        """What an answer depends on beside the release. None: the trainer's program, here or in a job."""
        return answered_by(self.settings)

    def rerank(self, model: str | None, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits in the order of a model that reads question and chunk together."""
        if model not in self._scorers:
            self._scorers[model] = scorer_for(self.settings, model)
        return rerank(self._scorers[model], question, hits)


class _Cache:
    """The embedding cache in the database."""

    def __init__(self, database: Database, plan_id: int | None):
        self._database = database
        self._plan_id = plan_id

    def get(self, fingerprint: str, hashes: Sequence[str]) -> Mapping[str, Vector]:
        with self._database.transaction() as connection:
            rows = queries().cached_embeddings(connection, embedder=fingerprint, hashes=list(hashes))
            return {row["text_hash"]: np.asarray(row["embedding"], dtype=np.float32) for row in rows}

    def put(self, fingerprint: str, vectors: Mapping[str, Vector]) -> None:
        with self._database.transaction() as connection:
            queries().cache_embeddings(
                connection,
                [
                    {
                        "embedder": fingerprint,
                        "text_hash": key,
                        "embedding": vector_text(vector),
                        "plan_id": self._plan_id,
                    }
                    for key, vector in vectors.items()
                ],
            )
