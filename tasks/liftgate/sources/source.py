"""The interface of a source, and a source as a knowledge base configures it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol, runtime_checkable

from liftgate.config.access import Access
from liftgate.config.sources import SourceBlock
from liftgate.errors import LiftgateError, SourceError
from liftgate.sources.connections import Connections
from liftgate.sources.identity import Listed
from liftgate.sources.patterns import path_pattern
from liftgate.sources.words import GroupRules


class Reader(Protocol):
    """What a kind of source does. `list` opens no document; `read` never returns another version than listed."""

    def list(self) -> Iterator[Listed]:
        """Every document that there is, streamed. Raises where it breaks off."""
        ...

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of that version. Raises DocumentChanged if it is no longer the listed one."""
        ...


@runtime_checkable
class Looks(Protocol):
    """What a kind may do besides, so that an event which names documents does not cost a listing."""

    def look(self, uris: Collection[str]) -> Iterator[Listed]:
        """Those of the documents that are there, as `list` would give them."""
        ...


_STORABLE = re.compile(r"[^\0\ud800-\udfff]*").fullmatch


class ListingEntry(NamedTuple):
    """An entry of a listing. Undecided: its groups are those of the source alone, for now."""

    listed: Listed
    undecided: bool = False
    sidecar: bool = False


class Source:
    """A source of a knowledge base: what its kind lists, as far as it is included, with the groups of each document."""

    def __init__(self, block: SourceBlock, access: Access, connections: Connections):
        self.name = block.name
        self._block = block
        self._connections = connections
        self._reader: Reader | None = None
        self._include = tuple(path_pattern(include) for include in block.include)
        self._groups = GroupRules(access)

    def list(self) -> Iterator[Listed]:
        """Every included document, streamed. Raises SourceError where it breaks off."""
        return (entry.listed for entry in self.entries() if not entry.sidecar)

    def entries(self, uris: Collection[str] | None = None) -> Iterator[ListingEntry]:
        """The same, with the sidecars, and with what is decided of who may read. Given `uris`, those alone."""
        try:
            for listed in self._listed(uris):
                self._require_sound(listed)
                if self._groups.is_sidecar(listed.uri):
                    yield ListingEntry(replace(listed, groups=()), sidecar=True)
                elif any(pattern.match(listed.uri) for pattern in self._include):
                    groups = self._groups.decided(listed.uri, listed.groups)
                    undecided = groups is None
                    yield ListingEntry(replace(listed, groups=listed.groups if undecided else groups), undecided)
        except LiftgateError:
            raise
        except Exception as error:
            raise self._broken("to be listed", error) from error

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of that version. Raises DocumentChanged if it is no longer the listed one."""
        try:
            return self._kind().read(uri, version_hint)
        except LiftgateError:
            raise
        except Exception as error:
            raise self._broken(f"to give {uri}", error) from error

    def _listed(self, uris: Collection[str] | None) -> Iterator[Listed]:
        """What the kind lists; of some documents without listing all, where it can do that."""
        if uris is None:
            return self._kind().list()
        if not uris:
            return iter(())
        kind = self._kind()
        return kind.look(uris) if isinstance(kind, Looks) else (one for one in kind.list() if one.uri in uris)

    def _kind(self) -> Reader:
        if self._reader is None:
            self._reader = self._block.open(self._connections)
        return self._reader

    def _require_sound(self, listed: Listed) -> None:
        """Say what is wrong with an entry here, where its kind is known, and not where it is stored."""
        names = (listed.uri, listed.version_hint)
        if all(isinstance(name, str) and name and _STORABLE(name) for name in names) and listed.updated_at.tzinfo:
            return
        raise SourceError(
            f"Expected source {self.name} ({self._block.type}) to list texts as uri and version hint and a time with "
            f"its zone, found {listed!r:.200}. Mend its kind; liftgate.testing.source_contract checks it."
        )

    def _broken(self, expected: str, error: Exception) -> SourceError:
        """The error of a kind. A connection may be dead, so the next attempt makes its own."""
        self._reader = None
        return SourceError(
            f"Expected source {self.name} ({self._block.type}) {expected}, found {type(error).__name__}: {error}. "
            "Check its address, path and credentials."
        )
