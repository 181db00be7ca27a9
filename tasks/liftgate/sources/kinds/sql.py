"""Rows of a PostgreSQL database, each a document."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from pydantic import Field

from liftgate.config.sources import SourceBlock
from liftgate.errors import ConfigurationError, SourceError
from liftgate.sources.connections import Connections
from liftgate.sources.files import as_groups
from liftgate.sources.identity import Listed
from liftgate.sources.reading import as_time, gone, require_same

REQUIRED = {"id", "body", "version"}
OPTIONAL = ("updated_at", "groups")
ROWS_AT_ONCE = 1000
_TIMES = ("date", "timestamp", "timestamptz")
# Python has no time outside of these years, nor `infinity`: such a row counts as one without a time.
_TIME = "CASE WHEN d.updated_at BETWEEN '0001-01-02' AND '9999-12-30' THEN d.updated_at END AS updated_at"
_OF_TIMES = ("date", "timestamp", "timestamptz")


class Sql(SourceBlock):
    """A query on PostgreSQL. Its columns: id, body (text or bytes), version, and if you like updated_at and groups.

    Example: SELECT slug || '.md' AS id, body, revision AS version, changed AS updated_at, teams AS groups FROM pages
    """

    conn_id: str
    """A connection to the database. A role that may only read is best; the transaction is read-only in any case."""
    query: str
    """One SELECT. The end of an id (.md, .html, .txt) tells the type of its body."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Values for placeholders like %(since)s in the query. A percent sign that is none is written twice."""

    def open(self, connections: Connections) -> SqlReader:
        """Its rows."""
        return SqlReader(self, connections)


class SqlReader:
    """Rows by their ids. Bodies are not fetched by a listing."""

    def __init__(self, block: Sql, connections: Connections):
        self._block = block
        self._connections = connections
        self._query = block.query.strip().rstrip(";")

    def list(self) -> Iterator[Listed]:
        """Every row, some at a time through a cursor of the server."""
        return self._rows("", {})

    def look(self, uris: Collection[str]) -> Iterator[Listed]:
        """Those rows."""
        return self._rows("WHERE d.id::text = ANY(%(liftgate_ids)s)", {"liftgate_ids": list(uris)})

    def _rows(self, where: str, more: dict[str, Any]) -> Iterator[Listed]:
        with self._connect() as connection:
            statement = f"SELECT {', '.join(self._columns(connection))} FROM ({self._query}) AS d {where}"
            with connection.cursor("listing") as cursor:
                cursor.itersize = ROWS_AT_ONCE
                cursor.execute(statement, {**self._block.parameters, **more})
                for row in cursor:
                    yield self._listed(row)

    def _columns(self, connection: Any) -> tuple[str, ...]:
        """What to ask for: everything but the body. Raises ConfigurationError where a column is missing."""
        found = connection.execute(f"SELECT * FROM ({self._query}) AS d LIMIT 0", self._block.parameters).description
        names = {column.name: column.type_display.partition("(")[0] for column in found}
        if missing := sorted(REQUIRED - set(names)):
            raise ConfigurationError(
                f"Expected the columns {', '.join(sorted(REQUIRED))} in the query of source {self._block.name}, found "
                f"no {', '.join(missing)}. Name them by AS."
            )
        optional = [f"d.{name}" for name in OPTIONAL if name in names]
        if names.get("updated_at") in _TIMES:
            optional[0] = _TIME
        return ("d.id", "d.version", "octet_length(d.body) AS size_bytes", *optional)

    def _listed(self, row: dict[str, Any]) -> Listed:
        changed = self._value(row, "updated_at", as_time, "a time, a day, ISO text or seconds")
        groups = self._value(row, "groups", as_groups, "text with commas, or an array of texts")
        return Listed(str(row["id"]), str(row["version"]), row["size_bytes"] or 0, changed, groups)

    def _value(self, row: dict[str, Any], column: str, read: Callable[[Any], Any], expected: str) -> Any:
        try:
            return read(row.get(column))
        except (TypeError, ValueError, OverflowError) as error:
            raise SourceError(
                f"Expected the column {column} of source {self._block.name} to be {expected}, found "
                f"{row[column]!r:.100} in row {row['id']}. Correct the query."
            ) from error

    def read(self, uri: str, version_hint: str) -> bytes:
        """The body of the row, if it has that version."""
        parameters = {**self._block.parameters, "liftgate_id": uri}
        with self._connect() as connection:
            row = connection.execute(
                f"SELECT d.body, d.version FROM ({self._query}) AS d WHERE d.id::text = %(liftgate_id)s", parameters
            ).fetchone()
        if row is None:
            raise gone(uri)
        require_same(uri, version_hint, str(row["version"]))
        body = row["body"] or b""
        return body.encode() if isinstance(body, str) else bytes(body)

    def _connect(self) -> Any:
        import psycopg
        from psycopg.rows import dict_row

        found = self._connections(self._block.conn_id)
        extra = {name: value for name, value in found.extra.items() if isinstance(value, str | int)}
        login = {"host": found.host, "port": found.port, "user": found.login, "password": found.password}
        address = {"dbname": found.schema, **login, **extra}
        given: Any = {name: value for name, value in address.items() if value}
        connection = psycopg.connect(**given, row_factory=dict_row)
        connection.read_only = True
        return connection
