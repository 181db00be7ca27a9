"""What a generation sees, as filters: for our own searches, and for applications that read Weaviate themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weaviate.collections.classes.filters import _Filters as Filter


def visible(generation: int, groups: Sequence[str] | None = None) -> Filter:
    """The rows that a generation sees, and with `groups` only those that one of the groups may read.

    For an application's own queries: `collection.query.near_vector(vector, filters=visible(7, ["staff"]))`. Without
    it a reader also sees candidates and removed rows. No group is an error, since it may read nothing.
    """
    from weaviate.classes.query import Filter

    seen = [
        Filter.by_property("added_in").less_or_equal(generation),
        Filter.by_property("removed_in").greater_than(generation),
    ]
    if groups is not None:
        if not groups:
            raise ValueError("Expected at least one group, found none: without a group nothing may be read.")
        seen.append(Filter.by_property("groups").contains_any(list(groups)))
    return Filter.all_of(seen)


def visible_json(generation: int) -> dict[str, Any]:
    """The same for every client: the `where` filter of Weaviate's REST and GraphQL interfaces.

    Example: 7 -> added_in at most 7, and removed_in above 7
    """
    return {
        "operator": "And",
        "operands": [
            {"path": ["added_in"], "operator": "LessThanEqual", "valueInt": generation},
            {"path": ["removed_in"], "operator": "GreaterThan", "valueInt": generation},
        ],
    }


def unseen(kept: Sequence[int]) -> Filter:
    """The rows that none of the kept generations sees: they came and went between two of them, or came after the last.

    Example: kept=[2, 5] -> gone by 2, or added after 2 and gone by 5, or added after 5
    """
    from weaviate.classes.query import Filter

    added, removed = Filter.by_property("added_in"), Filter.by_property("removed_in")
    gaps = []
    for before, after in zip([None, *kept], [*kept, None], strict=True):
        parts = [added.greater_than(before)] if before is not None else []
        parts += [removed.less_or_equal(after)] if after is not None else []
        gaps.append(Filter.all_of(parts))
    return Filter.any_of(gaps)
