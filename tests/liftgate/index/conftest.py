"""Collections of a Weaviate server for one test each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from weaviate_rows import DIMS

from liftgate.config.embeddings import Embeddings
from liftgate.config.retrieval import VectorIndex as VectorIndexBlock
from liftgate.generations import Collection, new_collection
from liftgate.index import VectorIndex
from liftgate.runtime import Runtime


@pytest.fixture
def where(weaviate_runtime: Runtime, request: pytest.FixtureRequest) -> Iterator[Collection]:
    """A collection that is not made yet, and gone after the test."""
    name = f"own{abs(hash(request.node.nodeid))}"
    with weaviate_runtime.database.transaction() as connection:
        block = VectorIndexBlock(provider="weaviate")
        made = new_collection(connection, name, block, Embeddings(), "words", DIMS, 1)
    yield made
    weaviate_runtime.servers.weaviate.collections.delete(made.name)


@pytest.fixture
def index(weaviate_runtime: Runtime, where: Collection) -> Iterator[VectorIndex]:
    """An empty collection."""
    with weaviate_runtime.database.transaction() as connection:
        made = weaviate_runtime.index_in(connection, where)
        made.ensure()
        yield made
