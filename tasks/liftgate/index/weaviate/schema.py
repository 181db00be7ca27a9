"""The definition of a collection in Weaviate: exact texts are not cut into words, generations have range indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liftgate.errors import ConfigurationError
from liftgate.generations import Collection
from liftgate.index.weaviate.client import translated

if TYPE_CHECKING:
    from weaviate import WeaviateClient


def ensure_collection(client: WeaviateClient, collection: Collection) -> None:
    """Make the collection if it is missing. Raises ConfigurationError where its name belongs to somebody else."""
    with translated(f"make the collection {collection.name}"):
        if not client.collections.exists(collection.name):
            client.collections.create(**_definition(collection))
            return
        found = client.collections.get(collection.name).config.get().description
    if found != _mark(collection):
        raise ConfigurationError(
            f"Expected no collection {collection.name} in Weaviate, or one that Liftgate made for these embeddings "
            f"({_mark(collection)}), found one that says {found!r}. Choose another vector_index.table, or delete it."
        )


def alias_of(collection: Collection) -> str:
    """The name that leads to whichever collection is live.

    Example: kb_chunks, handbook -> Kb_chunks_handbook_live; Weaviate begins names with a capital.
    """
    name = f"{collection.vector_index.table}_{collection.kb}_live"
    return name[0].upper() + name[1:]


def _mark(collection: Collection) -> str:
    """The description by which a collection of ours is known, with the dimensions of its vectors."""
    return f"Liftgate: {collection.kb}, embedder {collection.embedder}, {collection.dims} dimensions"


def _definition(collection: Collection) -> dict[str, Any]:
    from weaviate.classes.config import Configure

    made = collection.vector_index.weaviate
    return {
        "name": collection.name,
        "description": _mark(collection),
        "properties": _properties(),
        "vector_config": Configure.Vectors.self_provided(
            quantizer=_quantizer(made.quantization), vector_index_config=_graph(collection)
        ),
        "replication_config": Configure.replication(factor=made.replication_factor),
    }


def _properties() -> list[Any]:
    from weaviate.classes.config import DataType, Property, Tokenization

    def exact(name: str, *, filterable: bool, kind: DataType = DataType.TEXT) -> Property:
        return Property(
            name=name,
            data_type=kind,
            tokenization=Tokenization.FIELD,
            index_filterable=filterable,
            index_searchable=False,
        )

    def number(name: str, *, filterable: bool = False, ranges: bool = False) -> Property:
        return Property(name=name, data_type=DataType.INT, index_filterable=filterable, index_range_filters=ranges)

    return [
        exact("source", filterable=True),
        exact("uri", filterable=True),
        exact("doc_id", filterable=False),
        exact("version", filterable=False),
        exact("section", filterable=False),
        exact("groups", filterable=True, kind=DataType.TEXT_ARRAY),
        Property(
            name="text",
            data_type=DataType.TEXT,
            tokenization=Tokenization.WORD,
            index_filterable=False,
            index_searchable=True,
        ),
        Property(name="updated_at", data_type=DataType.DATE, index_filterable=False),
        number("tokens"),
        number("ordinal", ranges=True),
        number("added_in", filterable=True, ranges=True),
        number("removed_in", ranges=True),
    ]


def _graph(collection: Collection) -> Any:
    from weaviate.classes.config import Configure, VectorDistances

    made = collection.vector_index.weaviate
    return Configure.VectorIndex.hnsw(
        distance_metric=VectorDistances(made.distance),
        ef_construction=made.ef_construction,
        max_connections=made.max_connections,
        ef=made.ef,
        flat_search_cutoff=made.flat_search_cutoff,
    )


def _quantizer(name: str) -> Any:
    from weaviate.classes.config import Configure

    return getattr(Configure.VectorIndex.Quantizer, name)()
