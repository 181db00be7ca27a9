"""A bucket of Google Cloud Storage."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from liftgate.config.sources import DataSet, SourceBlock
from liftgate.sources.connections import Connections
from liftgate.sources.files import FileSystemReader


class Gcs(SourceBlock):
    """A bucket of Google Cloud Storage (extra `gcs`)."""

    bucket: str
    """Name of the bucket."""
    prefix: str = ""
    """Only objects below this folder."""
    conn_id: str | None = None
    """A connection with `key_path` or `keyfile_dict` in its extra, as Airflow's Google connections have. None: the
    credentials of the environment."""
    groups_metadata: str = ""
    """The metadata entry of an object that names its groups, between commas, where `groups_from` has `source`."""

    def open(self, connections: Connections) -> FileSystemReader:
        """Its objects."""
        root = f"{self.bucket}/{self.prefix}".rstrip("/")
        options = partial(self._options, connections)
        return FileSystemReader("gcs", "gs", root, options, "'liftgate[gcs]'", self.groups_metadata)

    def data_set(self) -> DataSet:
        """The part of the bucket."""
        return DataSet(f"gs://{self.bucket}", self.prefix or "/")

    def _options(self, connections: Connections) -> dict[str, Any]:
        if self.conn_id is None:
            return {}
        extra = connections(self.conn_id).extra
        keyfile = extra.get("keyfile_dict")
        token = json.loads(keyfile) if isinstance(keyfile, str) else keyfile
        options = {"token": token or extra.get("key_path"), "project": extra.get("project")}
        return {name: value for name, value in options.items() if value}
