"""Databases of the embedded server: one for each test, as a copy of one that is ready."""

from __future__ import annotations

import psycopg


class Databases:
    """Makes databases on a server, and drops those that were done with when it makes the next one.

    By then nobody is in them any more; the server waits a tenth of a second for a connection that is just ending.
    """

    def __init__(self, server_url: str):
        self.server_url = server_url
        self._done: list[str] = []

    def url(self, name: str) -> str:
        """The address of a database."""
        return self.server_url.replace("/postgres?", f"/{name}?")

    def make(self, name: str, template: str = "template1") -> str:
        """Make a database, an empty one or a copy, and return its address."""
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            while self._done:
                connection.execute(f"DROP DATABASE {self._done.pop()} WITH (FORCE)")  # type: ignore[arg-type]
            # A database that somebody is in cannot be copied.
            leave = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(leave, [template])
            create = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"  # faster than the default
            connection.execute(create)  # type: ignore[arg-type]
        return self.url(name)

    def done(self, name: str) -> None:
        """Nobody needs that database any more."""
        self._done.append(name)
