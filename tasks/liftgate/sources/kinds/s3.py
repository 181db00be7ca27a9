"""A bucket of an S3-compatible store."""

from __future__ import annotations

from pathlib import PurePosixPath

from liftgate.config.sources import SourceBlock
from liftgate.sources.connections import Connections
from liftgate.sources.files import FileSystemReader


class S3(SourceBlock):
    """A bucket of an S3-compatible store, read with the credentials of the environment (extra `s3`)."""

    bucket: str
    """Name of the bucket."""
    prefix: str = ""
    """Only objects whose key begins with this."""

    def open(self, connections: Connections) -> FileSystemReader:
        """Its objects."""
        return FileSystemReader("s3", str(PurePosixPath(self.bucket) / self.prefix).rstrip("/"))
