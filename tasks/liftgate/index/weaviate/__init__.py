"""The index on Weaviate: connection, definition of a collection, its rows, and the filter of a release's readers."""

from liftgate.index.weaviate.visibility import visible, visible_json

__all__ = ["visible", "visible_json"]
