"""One document of a plan, up to what is to be written of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from liftgate.chunking import Piece
from liftgate.database import Connection
from liftgate.errors import DocumentChanged, DocumentUnreadable, LiftgateError, SourceError
from liftgate.fingerprints import content_hash
from liftgate.index import VectorIndex
from liftgate.indexing.read_attempts import ReadAttempts
from liftgate.manifest import Entry, entry_of, twin_of
from liftgate.parsing import require_size
from liftgate.pieces import fingerprints_of, pieces_of
from liftgate.plan.planned import Plan
from liftgate.runs import Run
from liftgate.sources.connections import Connections
from liftgate.sources.identity import Document
from liftgate.sources.listing import sources_of


@dataclass(frozen=True)
class Listing:
    """What the listing of the plan says of a document."""

    version_hint: str
    size_bytes: int
    updated_at: datetime
    groups: list[str]


@dataclass(frozen=True)
class Quarantine:
    """Why a document is set aside: it could not be read, or this parser refused it."""

    kind: str
    parser: str
    reason: str


@dataclass(frozen=True)
class Prepared:
    """What is to become of a document: new rows (`entry` and `pieces`), the rows it has (`keeps`), or none."""

    document: Document
    outcome: str
    base: Entry | None
    listing: Listing | None = None
    keeps: bool = False
    entry: Entry | None = None
    pieces: list[Piece] = field(default_factory=list)
    opened: bool = False
    given: bool | None = None
    """Whether its source gave its bytes. None: it was not asked for, or it has moved on since it was listed."""
    quarantine: Quarantine | None = None


class Preparer:
    """Prepares the documents of one plan, with the sources and fingerprints looked up once."""

    def __init__(self, connection: Connection, index: VectorIndex, run: Run, plan: Plan, connections: Connections):
        self._connection = connection
        self._index = index
        self._run = run
        self._plan = plan
        self._attempts = ReadAttempts(sources_of(run.config, connections))
        self._fingerprints = fingerprints_of(run.config)

    def prepare(self, item: dict[str, Any]) -> Prepared:
        """Decide by content what the plan could only decide by version hints."""
        document = Document(item["source"], item["uri"])
        base = entry_of(self._connection, self._index.collection.id, self._plan.generation - 1, document)
        if item["action"] == "remove":
            return Prepared(document, "removed", base)
        if item["action"] == "restore":
            return Prepared(document, "restored", base, keeps=base is not None)
        listing = Listing(item["version_hint"], item["size_bytes"], item["updated_at"], item["groups"])
        return self._known(document, base, listing, item["version"]) or self._open(document, base, listing)

    def _known(self, document: Document, base: Entry | None, listing: Listing, version: str | None) -> Prepared | None:
        """Take over chunks that lie in the index already, where the content is known without opening anything.

        That is a move that access had to settle, or settings that were put back.
        """
        if base and base.version_hint == listing.version_hint:
            version = base.version
        if version is None or self._run.scope.forced:
            return None
        last = self._plan.generation - 1
        twin = twin_of(self._connection, self._index.collection.id, last, version, **self._fingerprints)
        if twin is None:
            return None
        rows = self._index.rows(twin.added_in, twin.document)
        pieces = [Piece(row.ordinal, row.section, row.text, row.tokens) for row in rows]
        if len(pieces) != twin.chunks:  # a deletion was broken off
            return None
        entry = self._entry(document, twin.version, listing, pieces)
        return Prepared(document, "taken_back" if base else "moved", base, listing, entry=entry, pieces=pieces)

    def _open(self, document: Document, base: Entry | None, listing: Listing) -> Prepared:
        opened, given = Prepared(document, "new", base, listing, opened=True), None
        try:
            require_size(listing.size_bytes, document.uri, self._run.config.ingestion.parsing)
            data = self._attempts.read(document, listing.version_hint)
            version, given = content_hash(data), True
            if base and self._is_current(base, version) and not self._run.scope.forced:
                return replace(opened, outcome="touched", keeps=True, given=True)
            pieces = pieces_of(self._run.config, document.uri, data)
        except (SourceError, DocumentUnreadable) as error:
            return self._set_aside(opened, error, given)
        if base and self._is_current(base, version) and self._same_pieces(document, pieces):
            return replace(opened, outcome="unchanged", keeps=True, given=True)
        entry = self._entry(document, version, listing, pieces)
        return replace(opened, outcome="changed" if base else "new", entry=entry, pieces=pieces, given=True)

    def _set_aside(self, opened: Prepared, error: LiftgateError, given: bool | None) -> Prepared:
        """Quarantine it with its reason. A source that refused it is not one whose document moved on meanwhile."""
        refused = isinstance(error, SourceError) and not isinstance(error, DocumentChanged)
        kind = "parse" if isinstance(error, DocumentUnreadable) else "read"
        reason = Quarantine(kind, self._fingerprints["parser"], str(error))
        aside = replace(opened, outcome="quarantined", keeps=True, quarantine=reason)
        return replace(aside, given=False if refused else given)

    def _is_current(self, base: Entry, version: str) -> bool:
        wanted = (version, self._fingerprints["parser"], self._fingerprints["chunker"])
        return (base.version, base.parser, base.chunker) == wanted

    def _same_pieces(self, document: Document, pieces: list[Piece]) -> bool:
        rows = self._index.rows(self._plan.generation - 1, document)
        return [(row.section, row.text) for row in rows] == [(piece.section, piece.text) for piece in pieces]

    def _entry(self, document: Document, version: str, listing: Listing, pieces: list[Piece]) -> Entry:
        return Entry(
            source=document.source,
            uri=document.uri,
            version=version,
            version_hint=listing.version_hint,
            size_bytes=listing.size_bytes,
            updated_at=listing.updated_at,
            chunks=len(pieces),
            tokens=sum(piece.tokens for piece in pieces),
            added_in=self._plan.generation,
            **self._fingerprints,
        )
