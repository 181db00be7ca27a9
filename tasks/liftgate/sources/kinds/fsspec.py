"""Any other file system of fsspec: WebDAV, SMB, GitHub, ..."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import Field

from liftgate.config.sources import SourceBlock
from liftgate.sources.connections import Connection, Connections
from liftgate.sources.files import FileSystemReader


class FsSpec(SourceBlock):
    """Files below a folder of any file system that fsspec has an implementation for."""

    protocol: str
    """Its name in fsspec: webdav, smb, github, ... Its package has to be installed."""
    root: str
    """The folder."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What the file system's class takes. No secrets: those belong into a connection."""
    conn_id: str | None = None
    """A connection: its host, port, login and password become `host`, `port`, `username` and `password`, and its extra
    comes on top under the names that the file system's class takes."""

    def open(self, connections: Connections) -> FileSystemReader:
        """Its files."""
        options, extra = partial(self._options, connections), f"what fsspec needs for {self.protocol}"
        return FileSystemReader("fsspec", self.protocol, self.root, options, extra)

    def _options(self, connections: Connections) -> dict[str, Any]:
        login = _login(connections(self.conn_id)) if self.conn_id else {}
        return {**self.options, **login}


def _login(found: Connection) -> dict[str, Any]:
    named = {"host": found.host, "port": found.port, "username": found.login, "password": found.password}
    return {**{name: value for name, value in named.items() if value}, **found.extra}
