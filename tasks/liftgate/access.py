"""Who may read what: one table is the truth, and every row of the index follows it, in every generation.

Access is never versioned. It is applied right after a listing, without the writer's turn, so a revocation waits for
no verdict and a rollback cannot bring old access back. Two steps make it safe to be killed in between: first the
truth is stored, then every document whose rows are behind it is worked off.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liftgate.database import Connection, lock, queries
from liftgate.errors import CollectionMissing, DocumentUnreadable, LiftgateError, SourceError
from liftgate.fingerprints import content_hash
from liftgate.generations import Collection, collections_of, last_closed
from liftgate.runs import Run
from liftgate.sources.identity import Document
from liftgate.sources.listing import sources_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class AccessChanges:
    """What an application of access did, in documents."""

    widenings: int
    capped: bool
    moved: int
    applied: int


def apply_access(runtime: Runtime, run: Run) -> AccessChanges:
    """Make the listed groups true: in the table of access, then in every row of the index.

    A listing that broke off, or that widens more documents than the brake allows, narrows only.
    """
    with runtime.database.transaction() as connection:
        listing = queries().newest_listing(connection, kb=run.kb, run_id=run.run_id)
        widenings = queries().count_widenings(connection, kb=run.kb, serial=listing["serial"])
        listed = queries().count_listed(connection, serial=listing["serial"])
    capped = listing["error"] is not None or widenings > _allowed_widenings(run, listed)
    moved = 0 if listing["error"] else _settle_moves(runtime, run, listing["serial"])
    with runtime.database.transaction() as connection:
        lock(connection, "access", run.kb)
        queries().store_access(connection, kb=run.kb, serial=listing["serial"], capped=capped)
        queries().note_widenings(connection, serial=listing["serial"], widenings=widenings, capped=capped)
    changes = AccessChanges(widenings, capped, moved, apply_pending(runtime, run.kb))
    print(f"Access of {run.kb}: {changes}")
    return changes


def apply_pending(runtime: Runtime, kb: str) -> int:
    """Bring the rows of every document that is behind the truth up to it, and return how many documents that were."""
    with runtime.database.transaction() as connection:
        collections = collections_of(connection, kb)
        pending = list(queries().pending_access(connection, kb=kb))
    failures = []
    for row in pending:
        try:
            _apply(runtime, kb, collections, row)
        except LiftgateError as error:  # the others must not wait for it
            failures.append(error)
    if failures:
        print(f"Access of {len(failures)} of {len(pending)} documents of {kb} could not be applied.")
        raise failures[0]
    return len(pending)


def apply_newer_than(runtime: Runtime, kb: str, serial: int) -> int:
    """Apply again what was listed after a plan was made, to the rows that the plan has written since."""
    with runtime.database.transaction() as connection:
        queries().reopen_access(connection, kb=kb, serial=serial)
    return apply_pending(runtime, kb)


def groups_to_write(connection: Connection, kb: str, document: Document, hint: str, planned: list[str]) -> list[str]:
    """The groups of rows that are about to be written, under a lock that holds until they are committed.

    The stored groups belong to the version with the stored hint; for another version only what both allow is safe.
    """
    lock(connection, "access", kb, shared=True)
    stored = queries().access_of(connection, kb=kb, source=document.source, uri=document.uri)
    if stored is None:
        return []
    if stored["version_hint"] == hint:
        return list(stored["groups"])
    return sorted(set(stored["groups"]) & set(planned))


def _allowed_widenings(run: Run, listed: int) -> float:
    if run.allowances.widenings is not None:
        return run.allowances.widenings
    return run.config.brakes.max_widened_share * listed


def _apply(runtime: Runtime, kb: str, collections: list[Collection], row: dict[str, Any]) -> None:
    """Narrow every row of the document; give the rows of the listed version, where it is known, exactly its groups."""
    document = Document(row["source"], row["uri"])
    with runtime.database.transaction() as connection:
        lock(connection, "access", kb)
        current = queries().access_of(connection, kb=kb, source=document.source, uri=document.uri)
        for collection in collections:
            index = runtime.index_in(connection, collection)
            try:
                index.set_groups(document, current["groups"], version=current["version"])
            except CollectionMissing as error:
                if index.exists():
                    raise
                print(f"Nothing to do in {collection.name}: {error}")
        queries().mark_applied(connection, kb=kb, source=document.source, uri=document.uri, serial=current["serial"])


def _settle_moves(runtime: Runtime, run: Run, serial: int) -> int:
    """Let the rows of a document that moved keep only what its new place allows, before any brake can stop the run.

    A new uri of the same size as a document that is gone is opened and hashed: the same content means a move. No more
    are opened than a run may open.
    """
    rows = _possible_moves(runtime, run, serial)
    gone: dict[str, list[Document]] = defaultdict(list)
    for row in rows:
        if row["is_gone"]:
            gone[row["version"]].append(Document(row["source"], row["uri"]))
    new = [row for row in rows if not row["is_gone"]]
    to_open = [row for row in new if not row["version"]]
    most = max(run.config.brakes.max_opened_documents, run.allowances.opened or 0)
    for row in to_open[:most]:
        row["version"] = _version_of(runtime, run, serial, Document(row["source"], row["uri"]), row["version_hint"])
    if len(to_open) > most:
        print(
            f"{len(to_open) - most} documents may be moves and were not opened: the rows they left keep their access."
        )
    moves = [(left, row["groups"]) for row in new for left in gone.get(row["version"], ())]
    for left, groups in moves:
        _narrow_the_gone(runtime, run.kb, serial, left, groups)
    return len(moves)


def _possible_moves(runtime: Runtime, run: Run, serial: int) -> list[dict[str, Any]]:
    with runtime.database.transaction() as connection:
        base = last_closed(connection, run.kb)
        if base is None:
            return []
        return list(
            queries().possible_moves(
                connection,
                serial=serial,
                collection_id=base.collection_id,
                generation=base.generation,
                most_bytes=run.config.ingestion.parsing.max_document_bytes,
            )
        )


def _version_of(runtime: Runtime, run: Run, serial: int, document: Document, hint: str) -> str | None:
    """The content hash, kept with the listing so that nobody opens the document for it again."""
    try:
        data = sources_of(run.config, runtime.connections)[document.source].read(document.uri, hint)
    except (SourceError, DocumentUnreadable) as error:
        print(f"{document.uri} may be a move but could not be read, so the rows it left keep their access: {error}")
        return None
    version = content_hash(data)
    with runtime.database.transaction() as connection:
        queries().note_version(connection, serial=serial, source=document.source, uri=document.uri, version=version)
    return version


def _narrow_the_gone(runtime: Runtime, kb: str, serial: int, left: Document, groups: list[str]) -> None:
    with runtime.database.transaction() as connection:
        lock(connection, "access", kb)
        queries().narrow_access(connection, kb=kb, source=left.source, uri=left.uri, groups=groups, serial=serial)
