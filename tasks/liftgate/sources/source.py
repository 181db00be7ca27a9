"""The interface of a source, and a source as a knowledge base configures it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from traceback import print_exception
from typing import NamedTuple

from liftgate.config.access import Access
from liftgate.config.sources import SourceBlock
from liftgate.errors import LiftgateError, SourceError
from liftgate.sources.connections import Connections
from liftgate.sources.faults import is_of_code, kind_faulty, require_sound, without_links
from liftgate.sources.identity import Listed
from liftgate.sources.patterns import path_pattern
from liftgate.sources.reader import Looks, Reader
from liftgate.sources.words import GroupRules


class ListingEntry(NamedTuple):
    """An entry of a listing. Undecided: its groups are those of the source alone, for now."""

    listed: Listed
    undecided: bool = False
    sidecar: bool = False


class Source:
    """A source of a knowledge base: what its kind lists, as far as it is included, with the groups of each document."""

    def __init__(self, block: SourceBlock, access: Access, connections: Connections):
        self.name = block.name
        self.called = f"{block.name} ({block.type or type(block).__name__})"
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
        for listed in self._sound(uris):
            if self._groups.is_sidecar(listed.uri):
                yield ListingEntry(replace(listed, groups=()), sidecar=True)
            elif any(pattern.match(listed.uri) for pattern in self._include):
                groups = self._groups.decided(listed.uri, listed.groups)
                undecided = groups is None
                yield ListingEntry(replace(listed, groups=listed.groups if undecided else groups), undecided)

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of that version. Raises DocumentChanged if it is no longer the listed one."""
        try:
            data = self._kind().read(uri, version_hint)
        except LiftgateError:
            raise
        except Exception as error:
            raise self._broken("read", f"give {uri}", f"bytes of {uri}", error) from error
        if not isinstance(data, bytes):
            raise kind_faulty(self._block, "read", f"bytes of {uri}", type(data).__name__)
        return data

    def _sound(self, uris: Collection[str] | None) -> Iterator[Listed]:
        try:
            for listed in self._listed(uris):
                require_sound(self._block, listed)
                yield listed
        except LiftgateError:
            raise
        except Exception as error:
            raise self._broken("list", "be listed", "Listed", error) from error

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

    def _broken(self, method: str, asked: str, expected: str, error: Exception) -> SourceError:
        """The error of a kind. A connection may be dead, so the next attempt makes its own."""
        self._reader = None
        if is_of_code(self._block, error):
            print_exception(error)
            return kind_faulty(self._block, method, expected, f"{type(error).__name__}: {error}")
        return SourceError(
            f"Expected source {self.called} to {asked}, found {type(error).__name__}: {without_links(error)}. "
            "Check its address, path and credentials."
        )
