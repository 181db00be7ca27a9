"""Undo an open generation that nobody will go on with, because the embedder changed under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.database import Connection, queries
from liftgate.generations import Generation, collection
from liftgate.manifest import entry_of, keep_entry
from liftgate.sources.identity import Document

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def undo_open_generation(runtime: Runtime, connection: Connection, left: Generation) -> None:
    """Leave the collection as its last closed generation had it; one that was born in this generation goes."""
    abandoned = collection(connection, left.collection_id)
    index = runtime.index_in(connection, abandoned)
    changed = list(queries().changed_documents(connection, collection_id=abandoned.id, generation=left.generation))
    documents = [Document(row["source"], row["uri"]) for row in changed]
    there = index.exists()  # not where making it was broken off
    if there:
        index.delete(index.added(documents, left.generation))
    for document in documents:
        keep_entry(connection, abandoned.id, left.generation, document)
        if there and (base := entry_of(connection, abandoned.id, left.generation - 1, document)):
            index.put_back(base.chunk_ids(left.kb), left.generation)
    if abandoned.born_generation == left.generation:
        index.drop()
        queries().mark_dropped(connection, id=abandoned.id)
