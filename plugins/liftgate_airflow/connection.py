"""From the Airflow connection `liftgate_database` to the settings of the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from kubernetes.client import ApiClient

    from liftgate.database import Database
    from liftgate.runtime import Runtime
    from liftgate.settings import Settings
    from liftgate.sources.connections import Connection as SourceConnection

CONNECTION_ID = "liftgate_database"
VIEWER_GROUPS = "viewer_groups"
"""In its extras: which access groups the roles and users of Airflow hold on Liftgate's pages."""


def runtime_from_connection() -> Runtime:
    """The runtime of a task. An Airflow connection may also have been made in the UI."""
    from airflow.sdk import Connection

    return _runtime_with(Connection.get)


async def async_runtime_from_connection() -> Runtime:
    """The same for a trigger, which may not block the triggerer, and reads no index."""
    from airflow.sdk import Connection

    connection = await Connection.async_get(CONNECTION_ID)
    return _runtime(connection, without_servers(await connection.aextra_dejson()))


def database_in_api_server() -> Database:
    """The database of Liftgate for Airflow's API server, where connections are looked up without the task's SDK."""
    from airflow.models.connection import Connection

    from liftgate.database import Database

    connection = Connection.get_connection_from_secrets(CONNECTION_ID)
    return Database(settings_of(connection, without_servers(connection.extra_dejson)).database_url)


def runtime_in_api_server() -> Runtime:
    """The runtime of Airflow's API server."""
    from airflow.models.connection import Connection

    return _runtime_with(Connection.get_connection_from_secrets)


def viewer_groups() -> Any:
    """The extra `viewer_groups` as it stands, for Airflow's API server; nothing where there is none."""
    from airflow.models.connection import Connection

    return Connection.get_connection_from_secrets(CONNECTION_ID).extra_dejson.get(VIEWER_GROUPS, {})


def cluster(conn_id: str) -> ApiClient:
    """A client of the cluster that a Kubernetes connection names."""
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from liftgate.errors import ConfigurationError

    try:
        return KubernetesHook(conn_id=conn_id).api_client
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"Expected the Airflow connection {conn_id} to a cluster, found none. Make it, or correct "
            "`kubernetes_conn_id`."
        ) from error


def weaviate_settings(connection: Connection, extras: dict[str, Any]) -> dict[str, Any]:
    """A Weaviate connection as settings, read as the provider's own hook reads it.

    Example: host db, extras {"http_secure": true, "token": "k"} -> weaviate_url https://db:443, weaviate_grpc_url
    grpc://db:80, weaviate_api_key k
    """
    from liftgate.errors import ConfigurationError

    http, grpc = bool(extras.get("http_secure")), bool(extras.get("grpc_secure"))
    grpc_port = extras.get("grpc_port") or (443 if grpc else 80)
    found = {
        "weaviate_url": f"http{'s' if http else ''}://{connection.host}:{connection.port or (443 if http else 80)}",
        "weaviate_grpc_url": f"grpc{'s' if grpc else ''}://{extras.get('grpc_host') or connection.host}:{grpc_port}",
        "weaviate_headers": extras.get("additional_headers") or {},
    }
    key = extras.get("api_key") or extras.get("token")
    if not key and (connection.login or connection.password or "access_token" in extras or "client_secret" in extras):
        raise ConfigurationError(
            f"Expected an API key in the Airflow connection {connection.conn_id}, found another kind of login. "
            "Put the key of a Weaviate user into its field `Weaviate API Key`."
        )
    return found | ({"weaviate_api_key": key} if key else {})


def model_server_settings(name: str, connection: Connection) -> dict[str, Any]:
    """A connection to a model server as settings: its host is the address, its password the key.

    That is how apache-airflow-providers-openai has them; a URI will do as well. Example: host
    https://api.openai.com/v1, password k -> openai_url https://api.openai.com/v1, openai_api_key k
    """
    key = {f"{name}_api_key": connection.password} if connection.password else {}
    return {f"{name}_url": _for_sources(connection).url if connection.host else None, **key}


SERVERS: dict[str, Callable[[Connection, dict[str, Any]], dict[str, Any]]] = {
    "weaviate_conn_id": weaviate_settings,
    "openai_conn_id": lambda connection, _: model_server_settings("openai", connection),
    "generator_conn_id": lambda connection, _: model_server_settings("generator", connection),
    "rerank_conn_id": lambda connection, _: model_server_settings("rerank", connection),
}
"""In the extras of liftgate_database: ids of connections to servers, and how each is read."""


def without_servers(extras: dict[str, Any]) -> dict[str, Any]:
    """The extras for whoever needs the database alone."""
    return {name: value for name, value in extras.items() if name not in SERVERS}


def settings_of(connection: Connection, extras: dict[str, Any]) -> Settings:
    """Address and extras as settings. Extras that are no setting belong to the address.

    Example: host db, schema liftgate, extras {"files_url": "/files", "sslmode": "require"} -> database_url
    postgresql://db/liftgate?sslmode=require, files_url /files
    """
    from liftgate.errors import ConfigurationError
    from liftgate.settings import Settings

    # A field of the form that was left empty means the default.
    extras = {name: value for name, value in extras.items() if value not in (None, "")}
    own = {name: extras[name] for name in Settings.model_fields if name in extras}
    if "files_url" not in own:
        raise ConfigurationError(
            f"Expected `files_url` in the extras of the Airflow connection {CONNECTION_ID}, found {sorted(extras)}. "
            "Add it: a folder that every worker can read and write, or an address that fsspec knows."
        )
    options = {name: value for name, value in extras.items() if name not in own and name != VIEWER_GROUPS}
    return Settings.model_validate({**own, "database_url": _address(connection, options)})


def _address(connection: Connection, options: dict[str, Any]) -> str:
    """A libpq address. A host that is a folder is a socket, which libpq takes as a parameter."""
    host = connection.host or ""
    if host.startswith("/"):
        host, options = "", {"host": host, **options}
    login = quote(connection.login or "", safe="")
    password = f":{quote(connection.password, safe='')}" if connection.password else ""
    port = f":{connection.port}" if connection.port else ""
    user = f"{login}{password}@" if login else ""
    query = f"?{urlencode(options)}" if options else ""
    return f"postgresql://{user}{host}{port}/{quote(connection.schema or '', safe='')}{query}"


def _runtime_with(get: Callable[[str], Any]) -> Runtime:
    """The runtime, with the settings of the servers whose connections are named in the extras."""
    connection = get(CONNECTION_ID)
    extras = connection.extra_dejson
    for name, settings_of_server in SERVERS.items():
        if conn_id := extras.pop(name, None):
            server = get(conn_id)
            extras |= settings_of_server(server, server.extra_dejson)
    return _runtime(connection, extras)


def _runtime(connection: Connection, extras: dict[str, Any]) -> Runtime:
    from liftgate.runtime import Runtime

    return Runtime(settings_of(connection, extras), connections=source_connection)


def source_connection(conn_id: str) -> SourceConnection:
    """The connection of a source, wherever Airflow keeps it."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    from liftgate.errors import ConfigurationError

    try:
        found = Connection.get(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"Expected the Airflow connection {conn_id}, found none. Make it, or correct `conn_id`."
        ) from error
    return _for_sources(found)


def _for_sources(connection: Connection) -> SourceConnection:
    """The same connection as the library knows it."""
    from liftgate.sources.connections import Connection as SourceConnection

    given = {name: getattr(connection, name) or "" for name in ("host", "login", "password", "schema", "conn_type")}
    return SourceConnection(**given, port=connection.port, extra=connection.extra_dejson)
