"""What a kind of source must do, and what it may do besides."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol, runtime_checkable

from liftgate.sources.identity import Listed


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
