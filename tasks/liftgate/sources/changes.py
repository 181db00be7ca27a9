"""Have the documents changed? What is remembered of a listing is one digest, however many documents there are."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.database import Connection, queries
from liftgate.fingerprints import canonical_json
from liftgate.sources.connections import Connections
from liftgate.sources.listing import sources_of

_Entry = tuple[str, str, str, Iterable[str]]
LONGEST_SETTLE = 10
"""After so many settle times a listing counts although it still changes: a busy source is never quiet."""


@dataclass(frozen=True)
class Seen:
    """What a listing held: equal digests mean the same documents in the same versions with the same groups."""

    digest: str
    documents: int


@dataclass
class Settling:
    """Tells news from what is known, and a listing that has come to rest from one that is still being written.

    Example: known a, settle 30 s; b at 0 s -> no, c at 20 s -> no, c at 50 s -> yes, for c
    """

    known: str | None
    settle_seconds: float
    _last: str | None = None
    _last_since: float = 0
    _news_since: float = 0

    def is_settled(self, digest: str, now: float) -> bool:
        """Whether this is news that has come to rest."""
        if digest == self.known:
            self._last = None
            return False
        if self._last is None:
            self._news_since = now
        if digest != self._last:
            self._last, self._last_since = digest, now
        longest = LONGEST_SETTLE * self.settle_seconds
        return now - self._last_since >= self.settle_seconds or now - self._news_since >= longest

    @property
    def waits(self) -> bool:
        """Whether there is news that has not come to rest."""
        return self._last is not None

    def knows(self, digest: str) -> None:
        """From now on this is no news."""
        self.known, self._last = digest, None


def look(config: KnowledgeBase, connections: Connections, names: Collection[str]) -> Seen:
    """List the sources of these names. Raises SourceError where that breaks off."""
    sources = sources_of(config, connections)
    return _seen(
        (name, entry.listed.uri, entry.listed.version_hint, entry.listed.groups or ())
        for name in names
        for entry in sources[name].entries()
    )


def seen_by_runs(connection: Connection, kb: str, names: Collection[str]) -> Seen | None:
    """What the newest listing from which a run over everything made its plan held of these sources. None: no such run.

    A run that a brake stopped, or that looked at some documents only, has not dealt with what else its listing held.
    """
    serial = queries().newest_planned_listing(connection, kb=kb)
    if serial is None:
        return None
    rows = queries().listed_versions(connection, serial=serial, sources=list(names))
    return _seen((row["source"], row["uri"], row["version_hint"], row["groups"]) for row in rows)


def _seen(entries: Iterator[_Entry]) -> Seen:
    """A sum of hashes: it does not depend on the order of a listing, and nothing has to be kept to sort it."""
    total = documents = 0
    for source, uri, hint, groups in entries:
        entry = canonical_json([source, uri, hint, sorted(groups)])
        total += int.from_bytes(hashlib.sha256(entry.encode()).digest())
        documents += 1
    return Seen(f"{total % 2**256:064x}", documents)
