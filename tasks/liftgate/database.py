"""PostgreSQL: connections, named queries, migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps

from liftgate.errors import ConfigurationError
from liftgate.fingerprints import canonical_json

SQL = Path(__file__).parent / "sql"
Connection = psycopg.Connection[DictRow]

set_json_dumps(canonical_json)


@cache
def queries() -> Any:
    """The named queries of sql/queries, one function each, called as `queries().name(connection, **parameters)`."""
    import aiosql

    return aiosql.from_path(SQL / "queries", "psycopg")


class Database:
    """The database of Liftgate: ledger, manifest, plans, caches and, on pgvector, the index."""

    def __init__(self, url: str):
        self.url = url
        self._spare: list[Connection] = []

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the connections that are kept. The next transaction makes a new one."""
        while self._spare:
            self._spare.pop().close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection of its own whose work is committed at the end, or undone by an error.

        The connection is kept for the next transaction: a step has many, and making one costs more than most of them.
        """
        connection = self._take_spare() or self._connect()
        try:
            with connection.transaction():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._spare.append(connection)

    def _take_spare(self) -> Connection | None:
        """The spare connection, if the server has not ended it meanwhile."""
        try:
            connection = self._spare.pop()
            connection.execute("")
        except (IndexError, psycopg.Error):
            return None
        return connection

    def _connect(self) -> Connection:
        try:
            return psycopg.connect(self.url, row_factory=dict_row, autocommit=True)
        except psycopg.Error as error:
            raise ConfigurationError(
                f"Expected Liftgate's database to answer, found: {str(error).strip()}. "
                "Start it, or correct LIFTGATE_DATABASE_URL or the connection liftgate_database."
            ) from error

    def upgrade(self) -> list[str]:
        """Apply the migrations that are missing and return their names, in order."""
        from yoyo import get_backend, read_migrations

        backend = get_backend(_for_yoyo(self.url), migration_table="liftgate_migrations")
        with closing(backend.connection), backend.lock():
            missing = backend.to_apply(read_migrations(str(SQL / "migrations")))
            backend.apply_migrations(missing)
        return [migration.id for migration in missing]


def _for_yoyo(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found or not scheme.startswith("postgres"):
        raise ConfigurationError(
            f"Expected a database address like postgresql://user@host/liftgate, found {scheme!r} as its scheme. "
            "Correct LIFTGATE_DATABASE_URL."
        )
    return f"postgresql+psycopg://{rest}"


def lock(connection: Connection, kind: str, kb: str, *, shared: bool = False) -> None:
    """Take an advisory lock of a knowledge base until the transaction ends. `kind` names what it protects."""
    take = queries().lock_shared if shared else queries().lock_exclusive
    take(connection, name=f"{kind}:{kb}")
