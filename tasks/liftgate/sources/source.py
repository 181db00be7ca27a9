"""The interface of a source, and a source as a knowledge base configures it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol

from liftgate.config.access import Access
from liftgate.config.sources import SourceBlock
from liftgate.errors import LiftgateError, SourceError
from liftgate.sources.connections import Connections
from liftgate.sources.identity import Listed


class Reader(Protocol):
    """What a kind of source does. `list` opens no document; `read` never returns another version than listed."""

    def list(self) -> Iterator[Listed]:
        """Every document that there is, streamed. Raises where it breaks off."""
        ...

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of that version. Raises DocumentChanged if it is no longer the listed one."""
        ...


class Source:
    """A source of a knowledge base: what its kind lists, as far as it is included, with the groups of each document."""

    def __init__(self, block: SourceBlock, access: Access, connections: Connections):
        self.name = block.name
        self._block = block
        self._connections = connections
        self._reader: Reader | None = None
        self._include = tuple(path_pattern(include) for include in block.include)
        self._rules = tuple((path_pattern(rule.path), rule.groups) for rule in access.rules)
        self._default_groups = access.default_groups

    def list(self) -> Iterator[Listed]:
        """Every included document, streamed. Raises SourceError where it breaks off."""
        try:
            for listed in self._kind().list():
                if any(pattern.match(listed.uri) for pattern in self._include):
                    yield replace(listed, groups=self._groups(listed.uri))
        except LiftgateError:
            raise
        except Exception as error:
            raise SourceError(self._broken("to be listed", error)) from error

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of that version. Raises DocumentChanged if it is no longer the listed one."""
        try:
            return self._kind().read(uri, version_hint)
        except LiftgateError:
            raise
        except Exception as error:
            raise SourceError(self._broken(f"to give {uri}", error)) from error

    def _kind(self) -> Reader:
        if self._reader is None:
            self._reader = self._block.open(self._connections)
        return self._reader

    def _groups(self, uri: str) -> tuple[str, ...]:
        groups = next((groups for pattern, groups in self._rules if pattern.match(uri)), self._default_groups)
        return tuple(sorted(set(groups)))

    def _broken(self, expected: str, error: Exception) -> str:
        return (
            f"Expected source {self.name} ({self._block.type}) {expected}, found {type(error).__name__}: {error}. "
            "Check its address, path and credentials; a retry may help."
        )


@lru_cache(maxsize=1024)
def path_pattern(glob: str) -> Any:
    """A path pattern as a regular expression: `*` stays within a folder, `**` crosses folders.

    Example: `finance/**` matches `finance/2025/budget.md` and not `hr/finance.md`.
    """
    import re

    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces) + r"\Z")
