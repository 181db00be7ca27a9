"""Where the servers of sources are, and how to log in there. Secrets stay out of configuration files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from liftgate.errors import ConfigurationError

_WEB = ("http", "https")


@dataclass(frozen=True)
class Connection:
    """What an Airflow connection holds, whoever it comes from."""

    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    conn_type: str = ""

    @property
    def url(self) -> str:
        """The address of a web server, without a login and without a slash at its end, however it was written.

        A host that has a scheme keeps it. Otherwise `schema` is the scheme if it is one, as in Airflow's connections
        of the type http, then the type, then https. A `schema` that is no scheme is the path.

        Example: https://reader:p%40ss@docs.example.com:8443/wiki -> https://docs.example.com:8443/wiki
        Example: {"conn_type": "http", "host": "docs.example.com", "schema": "https"} -> https://docs.example.com
        """
        if not self.host:
            raise ConfigurationError("Expected a connection with a host, found none. Write its address as the host.")
        scheme = next((name for name in (self.schema, self.conn_type) if name in _WEB), "https")
        host = f"[{self.host}]" if self.host.count(":") > 1 and "://" not in self.host else self.host
        parts = urlsplit(host if "://" in host else f"{scheme}://{host}")
        place = parts.netloc.rpartition("@")[2]
        port = f":{self.port}" if self.port and not parts.port else ""
        path = [parts.path.strip("/"), "" if self.schema in _WEB else self.schema.strip("/")]
        return "/".join([f"{parts.scheme}://{place}{port}", *filter(None, path)])


Connections = Callable[[str], Connection]
"""From the id of a connection, as configuration files name it, to the connection. Raises ConfigurationError."""


def connection_from_environment(conn_id: str) -> Connection:
    """The connection in AIRFLOW_CONN_<ID>, where Airflow looks too: JSON or a URI.

    Example: AIRFLOW_CONN_DOCS='{"host": "files.example.com", "login": "reader", "extra": {"key_file": "/k"}}'
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(
            f"Expected the connection {conn_id}, found none in the environment. Set {variable}, to JSON or a URI as "
            "Airflow reads them; connections made in Airflow's pages are seen by its tasks alone."
        )
    try:
        return _from_json(json.loads(value)) if value.lstrip().startswith("{") else _from_uri(value)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"Expected JSON or a URI in {variable}, found neither. Correct it.") from error


def _from_json(values: dict[str, Any]) -> Connection:
    extra = values.get("extra") or {}
    return Connection(
        host=values.get("host") or "",
        port=int(values["port"]) if values.get("port") else None,
        login=values.get("login") or "",
        password=values.get("password") or "",
        schema=values.get("schema") or "",
        extra=json.loads(extra) if isinstance(extra, str) else extra,
        conn_type=values.get("conn_type") or "",
    )


def _from_uri(uri: str) -> Connection:
    """Example: sftp://reader:p%40ss@files.example.com:2222/in?key_file=/k -> host files.example.com, password p@ss"""
    conn_type, _, rest = uri.partition("://")
    within = "://" in rest.partition("?")[0]  # as Airflow has it: http://https://docs.example.com
    parts = urlsplit(rest if within else uri)
    extra = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Connection(
        host=f"{parts.scheme}://" * within + unquote(parts.hostname or ""),
        port=parts.port,
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        schema=unquote(parts.path.removeprefix("/")),
        extra=json.loads(extra["__extra__"]) if "__extra__" in extra else extra,
        conn_type=conn_type,
    )
