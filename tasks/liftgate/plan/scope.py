"""Which of the classified documents a run works on."""

from __future__ import annotations

from typing import Any

from liftgate.plan.planned import Change
from liftgate.runs import Scope
from liftgate.sources.patterns import path_pattern


def in_scope(scope: Scope, row: dict[str, Any]) -> bool:
    """Whether a run of this scope works on the document.

    A `some` run removes nothing but what an event names, since it does not look at the whole; a forced one opens what
    is unchanged too.
    """
    change = row["change"]
    if scope.named and (row["source"], row["uri"]) not in scope.named:
        return False
    if scope.kind == "some" and not scope.named and (change is Change.GONE or not _chosen(scope, row)):
        return False
    return scope.forced or change is not Change.SAME


def _chosen(scope: Scope, row: dict[str, Any]) -> bool:
    if scope.include and not any(path_pattern(glob).match(row["uri"]) for glob in scope.include):
        return False
    if scope.updated_from and row["updated_at"] < scope.updated_from:
        return False
    return not (scope.updated_until and row["updated_at"] >= scope.updated_until)
