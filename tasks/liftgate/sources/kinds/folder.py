"""A folder that every worker can read."""

from __future__ import annotations

from liftgate.config.paths import ExistingPath
from liftgate.config.sources import SourceBlock
from liftgate.sources.connections import Connections
from liftgate.sources.files import FileSystemReader


class Folder(SourceBlock):
    """A folder that every worker can read."""

    path: ExistingPath
    """The folder, relative to this file."""

    def open(self, connections: Connections) -> FileSystemReader:
        """Its files."""
        return FileSystemReader("file", self.path.rstrip("/"))
