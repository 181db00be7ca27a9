"""Reading rows out of Weaviate, so that no answer is cut off by the server's limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from liftgate.errors import IndexRefused
from liftgate.index.rows import Chunk, Hit, Vector
from liftgate.index.weaviate.client import translated
from liftgate.sources.identity import Document

if TYPE_CHECKING:
    from weaviate.collections.classes.filters import _Filters as Filter

ROWS_AT_ONCE = 500
"""Rows of one answer, which keeps an answer of 3,072 dimensions under 10 MB."""
PLACE = ("source", "uri", "ordinal", "added_in", "removed_in")
PROPERTIES = (*PLACE, "doc_id", "version", "section", "text", "tokens", "updated_at", "groups")


class Reader:
    """Reads one collection. `rows` is the client's handle of it."""

    def __init__(self, rows: Any, name: str):
        self._rows = rows
        self._name = name

    def by_ids(self, ids: Sequence[UUID], *, whole: bool = False) -> list[Any]:
        """Rows of these ids, as far as they are there: whole, or only until when they are present."""
        wanted = list(PROPERTIES) if whole else ["removed_in"]
        more = {"limit": len(ids), "include_vector": whole, "return_properties": wanted}
        with translated(f"read rows of {self._name}"):
            return list(self._rows.query.fetch_objects_by_ids(ids, **more).objects) if ids else []

    def everything(self, properties: Sequence[str]) -> Iterator[Any]:
        """Every row, in pages by id: a filter and a place to go on from do not go together in Weaviate."""
        with translated(f"read {self._name}"):
            yield from self._rows.iterator(return_properties=list(properties), cache_size=1000)

    def of_document(self, document: Document, also: Filter | None = None, *, whole: bool = False) -> list[Any]:
        """The rows of a document, in no order."""
        from weaviate.classes.query import Filter

        own = Filter.by_property("source").equal(document.source) & Filter.by_property("uri").equal(document.uri)
        where = own & also if also else own
        found = self._fetch(where, whole)
        if len(found) == ROWS_AT_ONCE:
            found = list(self._in_windows(where, whole))
        # The server compares without the spaces around a text.
        same = (document.source, document.uri)
        return [row for row in found if (row.properties["source"], row.properties["uri"]) == same]

    def _in_windows(self, where: Filter, whole: bool) -> Iterator[Any]:
        """All rows, from one window of ordinals to the next; one that comes back full is asked again in halves."""
        from weaviate.classes.query import Filter, Sort

        ordinal = Filter.by_property("ordinal")
        highest = self._fetch(where, False, limit=1, sort=Sort.by_property("ordinal", ascending=False))
        first, width = 0, ROWS_AT_ONCE
        while highest and first <= highest[0].properties["ordinal"]:
            rows = self._fetch(where & ordinal.greater_or_equal(first) & ordinal.less_than(first + width), whole)
            if len(rows) == ROWS_AT_ONCE and width > 1:
                width //= 2
                continue
            yield from rows if len(rows) < ROWS_AT_ONCE else self._by_age(where & ordinal.equal(first), whole)
            first, width = first + width, ROWS_AT_ONCE

    def _by_age(self, where: Filter, whole: bool) -> Iterator[Any]:
        """The rows of one ordinal, in pages by the generation that added them: one document, changed very often."""
        from weaviate.classes.query import Filter, Sort

        added, found = Filter.by_property("added_in"), dict[UUID, Any]()
        since, in_order = 0, Sort.by_property("added_in", ascending=True)
        while True:
            rows = self._fetch(where & added.greater_or_equal(since), whole, sort=in_order)
            found |= {row.uuid: row for row in rows}
            newest = max((row.properties["added_in"] for row in rows), default=since)
            if len(rows) < ROWS_AT_ONCE:
                yield from found.values()
                return
            if newest == since:
                raise IndexRefused(
                    f"Expected fewer than {ROWS_AT_ONCE} rows of one place and generation in {self._name}."
                )
            since = newest

    def _fetch(self, where: Filter, whole: bool, *, limit: int = ROWS_AT_ONCE, sort: Any = None) -> list[Any]:
        wanted = list(PROPERTIES if whole else (*PLACE, "version", "groups"))
        more = {"limit": limit, "sort": sort, "include_vector": whole, "return_properties": wanted}
        with translated(f"read rows of {self._name}"):
            return list(self._rows.query.fetch_objects(filters=where, **more).objects)


def as_chunk(row: Any) -> Chunk:
    """A row that was read whole."""
    properties = {**row.properties, "groups": tuple(row.properties["groups"] or ())}
    return Chunk(id=row.uuid, embedding=_vector(row), **properties)


def as_hit(row: Any, question: Vector) -> Hit:
    """A row that a search found, with the cosine of question and chunk, whatever the search went by."""
    names = ("source", "uri", "doc_id", "section", "text", "tokens")
    return Hit(id=row.uuid, score=float(_vector(row) @ question), **{name: row.properties[name] for name in names})


def sees(generation: int, properties: Any) -> bool:
    """Whether a generation sees the row of these properties."""
    return bool(properties["added_in"] <= generation < properties["removed_in"])


def may_see(generation: int, groups: Sequence[str], properties: Any) -> bool:
    """The filter of a search once more, on the row itself: a copy's index may be behind its rows."""
    return sees(generation, properties) and not set(groups).isdisjoint(properties["groups"] or ())


def position(row: Any) -> tuple[str, str, int]:
    """Where a row stands: by document, then by its place in it."""
    return row.properties["source"], row.properties["uri"], row.properties["ordinal"]


def _vector(row: Any) -> Vector:
    return np.asarray(row.vector["default"], dtype=np.float32)
