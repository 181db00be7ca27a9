"""The connection type `liftgate`: where Liftgate's own database is, and what goes with it."""

from __future__ import annotations

from airflow.sdk import BaseHook

from liftgate_airflow.connection import CONNECTION_ID


class LiftgateHook(BaseHook):
    """What the page of connections needs to offer the type, and to test one."""

    conn_name_attr = "liftgate_conn_id"
    default_conn_name = CONNECTION_ID
    conn_type = "liftgate"
    hook_name = "Liftgate"

    def __init__(self, liftgate_conn_id: str = CONNECTION_ID):
        super().__init__()
        self.liftgate_conn_id = liftgate_conn_id

    def test_connection(self) -> tuple[bool, str]:
        """Whether the database answers, and what is wrong if not."""
        from liftgate.database import Database
        from liftgate.errors import LiftgateError
        from liftgate_airflow.connection import settings_of, without_servers

        connection = self.get_connection(self.liftgate_conn_id)
        extras = without_servers(connection.extra_dejson)
        try:
            with Database(settings_of(connection, extras).database_url).transaction() as open_connection:
                version = open_connection.info.server_version
        except LiftgateError as error:
            return False, str(error)
        return True, f"PostgreSQL {version // 10000}.{version % 10000} answers"
