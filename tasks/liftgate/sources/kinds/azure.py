"""A container of Azure Blob Storage."""

from __future__ import annotations

from functools import partial
from typing import Any

from liftgate.config.sources import SourceBlock
from liftgate.sources.connections import Connections
from liftgate.sources.files import FileSystemReader


class Azure(SourceBlock):
    """A container of Azure Blob Storage (extra `azure`)."""

    container: str
    """Name of the container."""
    prefix: str = ""
    """Only blobs below this folder."""
    conn_id: str
    """A connection: the account as login and its key as password, or `connection_string`, `sas_token`, or tenant_id
    with client id and secret as login and password, in its extra, as Airflow's connections of the type `wasb` have."""
    groups_metadata: str = ""
    """The metadata entry of a blob that names its groups, between commas, where `groups_from` has `source`."""

    def open(self, connections: Connections) -> FileSystemReader:
        """Its blobs."""
        root = f"{self.container}/{self.prefix}".rstrip("/")
        options = partial(self._options, connections)
        return FileSystemReader("azure", "abfs", root, options, "'liftgate[azure]'", self.groups_metadata)

    def _options(self, connections: Connections) -> dict[str, Any]:
        found = connections(self.conn_id)
        extra = found.extra
        if extra.get("connection_string"):
            return {"connection_string": extra["connection_string"]}
        if extra.get("tenant_id"):
            account = extra.get("account_name") or found.host.partition(".")[0].removeprefix("https://")
            login = {"tenant_id": extra["tenant_id"], "client_id": found.login, "client_secret": found.password}
            return {"account_name": account, **login}
        key = {"sas_token": extra["sas_token"]} if extra.get("sas_token") else {"account_key": found.password}
        return {"account_name": found.login, **key}
