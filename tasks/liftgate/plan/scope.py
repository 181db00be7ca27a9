"""Which of the classified documents a run works on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from liftgate.plan.planned import Change
from liftgate.runs import Scope
from liftgate.sources.patterns import path_pattern

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""When a document was changed of which its source does not tell that."""
NOT_LOOKED_AT = "not looked at"


def in_scope(scope: Scope, row: dict[str, Any]) -> bool:
    """Whether a run of this scope works on the document. A forced one opens what is unchanged too."""
    return _looked_at(scope, row) and (scope.forced or row["change"] is not Change.SAME)


def count_changes(scope: Scope, rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many documents stand how, as far as a run of this scope looks at them.

    Example: scope of hr/**, with hr/a.md changed, hr/b.md the same, it/c.md new ->
    {"changed": 1, "same": 1, "not looked at": 1}; forced: {"changed": 1, "anyway": 1, "not looked at": 1}.
    """
    return Counter(_standing(scope, row) for row in rows)


def count_untimed(scope: Scope, rows: list[dict[str, Any]]) -> int:
    """How many documents no backfill takes, since their source tells no time of change. 0 where the run is none."""
    if scope.updated_from is None and scope.updated_until is None:
        return 0
    return sum(row["updated_at"] == NO_TIME for row in rows)


def untimed_sentence(number: int) -> str:
    """What a backfill says of documents without a time of change."""
    return f"{number} documents have no time of change, so no backfill takes them."


def nothing_to_do_in(scope: Scope, counts: Mapping[str, int]) -> str:
    """Why a run over some documents has nothing to do.

    Example: include hr/**, all of it as it was -> "no document that matches hr/** differs from what is indexed."
    """
    looked_at = sum(number for standing, number in counts.items() if standing != NOT_LOOKED_AT)
    if scope.named:
        return "no document that events name differs from what is indexed."
    wanted = [f"matches {' or '.join(scope.include)}"] if scope.include else []
    if scope.updated_from or scope.updated_until:
        wanted.append(f"was changed{_bound(' from', scope.updated_from)}{_bound(' until before', scope.updated_until)}")
    if looked_at:
        return f"no document that {' and '.join(wanted)} differs from what is indexed."
    return f"no document that can be read {' and '.join(wanted)}."


def _bound(word: str, at: datetime | None) -> str:
    return f"{word} {at:%Y-%m-%d %H:%M}" if at else ""


def _standing(scope: Scope, row: dict[str, Any]) -> str:
    if not _looked_at(scope, row):
        return NOT_LOOKED_AT
    return "anyway" if scope.forced and row["change"] is Change.SAME else str(row["change"])


def _looked_at(scope: Scope, row: dict[str, Any]) -> bool:
    """A `some` run does not look at the whole, so it removes nothing but what an event names."""
    if scope.named:
        return (row["source"], row["uri"]) in scope.named
    return scope.kind == "whole" or (row["change"] is not Change.GONE and _chosen(scope, row))


def _chosen(scope: Scope, row: dict[str, Any]) -> bool:
    if scope.include and not any(path_pattern(glob).match(row["uri"]) for glob in scope.include):
        return False
    if scope.updated_from and row["updated_at"] < scope.updated_from:
        return False
    return not (scope.updated_until and row["updated_at"] >= scope.updated_until)
