"""Index against manifest: the set of ids that a generation should have, and the set that the index has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from liftgate.database import Connection
from liftgate.errors import IndexDiffers
from liftgate.generations import Collection
from liftgate.manifest import entries

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

WHILE_WRITING = "Nothing went live. Clear index_changes and what is downstream of it."
WHEN_CLOSED = (
    "Nothing changed. Unknown rows are deleted by the DAG housekeeping; missing ones are written again by a run of "
    "kb_{kb} with the param force."
)


def ids_of(connection: Connection, where: Collection, generation: int) -> set[UUID]:
    """The ids that the manifest gives to a generation."""
    return {chunk for entry in entries(connection, where.id, generation) for chunk in entry.chunk_ids(where.kb)}


def compare_ids(runtime: Runtime, where: Collection, generation: int, remedy: str = WHILE_WRITING) -> int:
    """Raise IndexDiffers unless the index holds exactly the rows of that generation's manifest. Returns how many."""
    with runtime.database.transaction() as connection:
        expected = ids_of(connection, where, generation)
        found = runtime.index_in(connection, where).ids(generation)
    if found != expected:
        raise IndexDiffers(
            f"Expected {len(expected)} rows of generation {generation} in {where.name}, found {len(found)}: "
            f"{len(expected - found)} are missing and {len(found - expected)} are unknown. {remedy.format(kb=where.kb)}"
        )
    return len(found)
