"""What has to be done beside the ledger when a release goes live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.comparing import WHEN_CLOSED, compare_ids
from liftgate.database import queries
from liftgate.generations import collection
from liftgate.releases.ledger import live, lock_ledger, release
from liftgate.tracking import tell_of_live

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def require_whole(runtime: Runtime, kb: str, n: int) -> None:
    """Compare the ids once more before a promotion, where the index is a server that may have taken a late request.

    A writer that was stopped between two checks can send its rows after the generation was closed. Raises IndexDiffers.
    """
    with runtime.database.transaction() as connection:
        part = release(connection, kb, n).makeup.retrieval
        where = collection(connection, part.collection_id)
        written_by_requests = runtime.index_in(connection, where).request_seconds > 0
    if written_by_requests:
        compare_ids(runtime, where, part.generation, WHEN_CLOSED)


def follow_live(runtime: Runtime, kb: str) -> None:
    """Let the index's own alias, where it has one, name the collection that is live, and MLflow's alias the adapter."""
    with runtime.database.transaction() as connection:
        lock_ledger(connection, kb)  # nothing else goes live in between
        if current := live(connection, kb):
            where = collection(connection, current.makeup.retrieval.collection_id)
            own = [row["name"] for row in queries().collection_names(connection, kb=kb)]
            runtime.index_in(connection, where).go_live(own)
    tell_of_live(runtime, kb)
