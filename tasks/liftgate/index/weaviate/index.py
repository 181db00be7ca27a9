"""The rows of one collection in Weaviate.

Weaviate has no transactions. What makes writing safe: ids follow from the content, so that a retry writes the same
rows; one property of a row is changed in place, so that nobody overwrites what another has changed; and a generation
closes only after its ids were compared with the manifest's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from liftgate.errors import ConfigurationError, IndexRefused, IndexUnavailable
from liftgate.generations import PRESENT, Collection
from liftgate.index.rows import Chunk, Hit, Vector
from liftgate.index.weaviate.client import is_transient, translated
from liftgate.index.weaviate.reading import PLACE, PROPERTIES, Reader, as_chunk, as_hit, may_see, position, sees
from liftgate.index.weaviate.schema import alias_of, ensure_collection
from liftgate.index.weaviate.visibility import unseen, visible
from liftgate.sources.identity import Document

if TYPE_CHECKING:
    from weaviate import WeaviateClient
    from weaviate.collections.classes.filters import _Filters as Filter

    from liftgate.config.retrieval import Retrieval

ROWS_AT_ONCE = 500
"""Rows of one request, which keeps a request of 3,072 dimensions under 10 MB."""
CHANGES_AT_ONCE = 4
"""Requests that change one property each and are under way together."""
ATTEMPTS = 4
_PAUSE_SECONDS = 0.5
_NAMED = 10
Item = TypeVar("Item")


class WeaviateIndex:
    """Vectors are ours, so that the server needs no module; scores are cosines, whatever the search goes by."""

    def __init__(self, client: WeaviateClient, collection: Collection, request_seconds: float):
        from weaviate.classes.config import ConsistencyLevel

        self.collection = collection
        self.request_seconds = request_seconds
        self._client = client
        rows, made = client.collections.get(collection.name), collection.vector_index.weaviate
        self._rows = rows.with_consistency_level(ConsistencyLevel(made.consistency_level))
        # A search asks one copy. What a copy has missed, a revocation too, it would never find.
        self._writing = rows.with_consistency_level(ConsistencyLevel.ALL) if made.replication_factor > 1 else self._rows
        self._reader = Reader(self._rows, collection.name)

    def ensure(self) -> None:
        """Make the collection; refuse one of that name that somebody else made."""
        ensure_collection(self._client, self.collection)

    def exists(self) -> bool:
        """Whether the server has the collection. One that is still starting has none yet, and is not ready."""
        with translated(f"say whether it has {self.collection.name}"):
            if not self._client.is_ready():
                raise IndexUnavailable("Expected Weaviate to be ready, found it starting. Wait for it.")
            return bool(self._client.collections.exists(self.collection.name))

    def upsert(self, rows: Sequence[Chunk]) -> None:
        """Write rows; a row that is there already gets the new values, and stays removed where it was.

        Raises IndexRefused with ids and reasons where the server keeps refusing some.
        """
        for page in _pages(rows, ROWS_AT_ONCE):
            self._require_dims(page)
            removed_in = {
                row.uuid: row.properties["removed_in"] for row in self._reader.by_ids([one.id for one in page])
            }
            self._insert([_object(one, int(removed_in.get(one.id, one.removed_in))) for one in page])

    def mark_removed(self, ids: Iterable[UUID], generation: int) -> None:
        """Let rows that are present end before that generation."""
        self._change_removal(ids, PRESENT, generation)

    def put_back(self, ids: Iterable[UUID], generation: int) -> None:
        """Undo `mark_removed` of that generation."""
        self._change_removal(ids, generation, PRESENT)

    def delete(self, ids: Iterable[UUID]) -> None:
        """Delete rows for good."""
        from weaviate.classes.query import Filter

        for page in _pages(list(ids), ROWS_AT_ONCE):
            self._delete_all(Filter.by_id().contains_any(page))

    def added(self, documents: Sequence[Document], generation: int) -> set[UUID]:
        """Ids of the rows of these documents that were added in that generation."""
        from weaviate.classes.query import Filter

        added = Filter.by_property("added_in").equal(generation)
        return {row.uuid for document in documents for row in self._reader.of_document(document, added)}

    def ids(self, generation: int) -> set[UUID]:
        """Ids of every row that the generation sees."""
        return {
            row.uuid for row in self._reader.everything(["added_in", "removed_in"]) if sees(generation, row.properties)
        }

    def rows(self, generation: int, document: Document | None = None) -> Iterator[Chunk]:
        """The rows that the generation sees, of one document or of all, by document and position."""
        if document is not None:
            found = self._reader.of_document(document, visible(generation), whole=True)
            yield from map(as_chunk, sorted(found, key=position))
            return
        places = [row for row in self._reader.everything(PLACE) if sees(generation, row.properties)]
        for page in _pages(sorted(places, key=position), ROWS_AT_ONCE):
            whole = {row.uuid: row for row in self._reader.by_ids([place.uuid for place in page], whole=True)}
            yield from (as_chunk(whole[place.uuid]) for place in page if place.uuid in whole)

    def texts(self, ids: Sequence[UUID], groups: Sequence[str]) -> dict[UUID, str]:
        """Texts of these rows, as far as they are there and one of the groups may read them."""
        found = map(as_chunk, self._reader.by_ids(ids, whole=True))
        return {row.id: row.text for row in found if not set(groups).isdisjoint(row.groups)}

    def set_groups(self, document: Document, groups: Sequence[str], version: str | None = None) -> None:
        """Narrow every row of the document; rows of that version get exactly these groups."""
        changes = []
        for row in self._reader.of_document(document):
            has = set(row.properties["groups"] or ())
            wanted = set(groups) if row.properties["version"] == version else has & set(groups)
            if wanted != has:
                changes.append((row.uuid, {"groups": sorted(wanted)}))
        self._change(changes)

    def wider_than(self, allowed: Mapping[Document, Sequence[str]]) -> set[Document]:
        """Of these documents, those with a row that more than the allowed groups may read."""
        found = set()
        for row in self._reader.everything(["source", "uri", "groups"]):
            of = Document(row.properties["source"], row.properties["uri"])
            if of in allowed and not set(row.properties["groups"] or ()).issubset(allowed[of]):
                found.add(of)
        return found

    def search(
        self, vector: Vector, text: str, k: int, generation: int, groups: Sequence[str], settings: Retrieval
    ) -> list[Hit]:
        """The best rows by vector, words or both. Release and groups are part of the server's own search."""
        if not groups:
            return []
        more: dict[str, Any] = {"limit": k, "filters": visible(generation, groups), "include_vector": True}
        asked, near = self._rows.query, vector.tolist()
        with translated(f"search {self.collection.name}"):
            if settings.search == "vector":
                found = asked.near_vector(near, **more)
            elif settings.search == "keyword":
                found = asked.bm25(text, query_properties=["text"], **more)
            else:
                found = asked.hybrid(text, vector=near, alpha=settings.alpha, query_properties=["text"], **more)
        mine = [row for row in found.objects if may_see(generation, groups, row.properties)]
        return [as_hit(row, vector) for row in mine]

    def settle(self) -> None:
        """Weaviate settles by itself."""

    def go_live(self, own: Sequence[str]) -> None:
        """Let the alias `<table>_<knowledge base>_live` name this collection; it knows nothing of generations.

        An alias that leads to somebody else's collection is theirs: it stays, and a line says so.
        """
        aliases, name = self._client.alias, alias_of(self.collection)
        with translated(f"let {name} name {self.collection.name}"):
            found = aliases.get(alias_name=name)
            if found is None:
                aliases.create(alias_name=name, target_collection=self.collection.name)
            elif found.collection.lower() not in {one.lower() for one in own}:
                print(
                    f"The alias {name} leads to {found.collection}, which is not ours: it stays. Choose another table."
                )
            elif found.collection.lower() != self.collection.name.lower():
                aliases.update(alias_name=name, new_target_collection=self.collection.name)

    def prune(self, kept: Sequence[int]) -> int:
        """Delete the rows that none of these generations sees."""
        if kept:
            return self._delete_all(unseen(sorted(kept)))
        with translated(f"count {self.collection.name}"):
            return (self._rows.aggregate.over_all(total_count=True).total_count or 0) if self.exists() else 0

    def drop(self) -> None:
        """Remove the whole collection."""
        with translated(f"delete {self.collection.name}"):
            self._client.collections.delete(self.collection.name)

    def _require_dims(self, rows: Sequence[Chunk]) -> None:
        if wrong := [row for row in rows if row.embedding.shape != (self.collection.dims,)]:
            raise ConfigurationError(
                f"Expected vectors of {self.collection.dims} dimensions in {self.collection.name}, found "
                f"{wrong[0].embedding.shape[0]} in {wrong[0].uri}. An embedder may not change under its name."
            )

    def _insert(self, objects: list[Any]) -> None:
        """Send until the server has all, with a growing pause; what it refuses for good is an error."""
        waiting, reasons = objects, dict[UUID, str]()
        for attempt in range(ATTEMPTS):
            reasons = self._send(waiting)
            waiting = [one for one in waiting if one.uuid in reasons]
            if not waiting or not all(map(is_transient, reasons.values())):
                break
            time.sleep(_PAUSE_SECONDS * 2**attempt)
        if reasons:
            named = "; ".join(f"{id}: {reason}" for id, reason in list(reasons.items())[:_NAMED])
            raise IndexRefused(
                f"Expected Weaviate to take {len(objects)} rows of {self.collection.name}, found {len(reasons)} "
                f"refused: {named}. Nothing was closed. Mend that (a full disk makes it read-only), then clear this."
            )

    def _send(self, objects: list[Any]) -> dict[UUID, str]:
        """One request. Returns the reason for each row that was not taken."""
        from weaviate.exceptions import WeaviateInsertManyAllFailedError

        with translated(f"take {len(objects)} rows of {self.collection.name}"):
            try:
                failed = self._writing.data.insert_many(objects).errors
            except WeaviateInsertManyAllFailedError as error:
                return {one.uuid: str(error) for one in objects}
        return {objects[place].uuid: error.message for place, error in failed.items()}

    def _change_removal(self, ids: Iterable[UUID], old: int, new: int) -> None:
        for page in _pages(list(ids), ROWS_AT_ONCE):
            found = self._reader.by_ids(page)
            changes = [(row.uuid, {"removed_in": new}) for row in found if row.properties["removed_in"] == old]
            self._change(changes)

    def _change(self, changes: Sequence[tuple[UUID, dict[str, Any]]]) -> None:
        """Change one property of each row in place. Weaviate has no request that does so for many."""

        def change(one: tuple[UUID, dict[str, Any]]) -> None:
            with translated(f"change a row of {self.collection.name}"):
                self._writing.data.update(one[0], properties=one[1])

        with ThreadPoolExecutor(CHANGES_AT_ONCE) as pool:
            list(pool.map(change, changes))

    def _delete_all(self, where: Filter) -> int:
        """A request deletes no more than the server's limit, so it is repeated until nothing is left."""
        total = 0
        with translated(f"delete rows of {self.collection.name}"):
            while True:
                done = self._writing.data.delete_many(where)
                if done.failed:
                    raise IndexRefused(
                        f"Expected Weaviate to delete {done.matches} rows of {self.collection.name}, found "
                        f"{done.failed} refused. Look into the server's log, then clear this task."
                    )
                if not done.successful:
                    return total
                total += done.successful


def _pages(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _object(row: Chunk, removed_in: int) -> Any:
    from weaviate.classes.data import DataObject

    properties = {name: getattr(row, name) for name in PROPERTIES}
    properties |= {"groups": list(row.groups), "removed_in": removed_in}
    return DataObject(uuid=row.id, properties=properties, vector=row.embedding.tolist())
