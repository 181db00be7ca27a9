"""The connection to a Weaviate server, and its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from liftgate.errors import CollectionMissing, ConfigurationError, IndexRefused, IndexUnavailable, LiftgateError
from liftgate.settings import Settings

if TYPE_CHECKING:
    from weaviate import WeaviateClient

OLDEST = (1, 32)
"""Aliases of collections came with it."""
CONNECT_SECONDS = 10
_GRPC_PORT = 50051
_TRANSIENT = re.compile(
    r"unavailable|deadline exceeded|timed out|timeout|connection (refused|reset|closed)|\b(429|50[0234])\b"
)
_NO_COLLECTION = ("could not find class", "class not found", "not found in schema", "no such class")
_REFUSED_KEY = re.compile(r"unauthenticated|unauthorized|forbidden|permission[ _]?denied")
_OUR_NAMES = re.compile(r"\b\w+_g\d+_\w+\b")


def connect(settings: Settings) -> WeaviateClient:
    """A client of the configured server, which has answered. The caller closes it.

    Raises ConfigurationError without an address, with a key that is refused or a server that is too old, and
    IndexUnavailable where nobody answers.
    """
    import weaviate
    from weaviate.classes.init import AdditionalConfig, Auth, Timeout

    http, grpc = _addresses(settings)
    key, seconds = settings.weaviate_api_key, settings.weaviate_timeout_seconds
    with translated(f"connect to {settings.weaviate_url}"):
        client = weaviate.connect_to_custom(
            http_host=str(http.hostname),
            http_port=_port(http),
            http_secure=http.scheme == "https",
            grpc_host=str(grpc.hostname),
            grpc_port=_port(grpc),
            grpc_secure=grpc.scheme == "grpcs",
            headers=settings.weaviate_headers or None,
            auth_credentials=Auth.api_key(key.get_secret_value()) if key else None,
            additional_config=AdditionalConfig(timeout=Timeout(init=CONNECT_SECONDS, query=seconds, insert=seconds)),
        )
    try:
        require_version(str(client.get_meta()["version"]))
        if not client.is_ready():
            raise IndexUnavailable(
                f"Expected {settings.weaviate_url} to be ready, found Weaviate starting. Wait for it."
            )
    except BaseException:
        client.close()
        raise
    return client


def require_version(found: str) -> None:
    """Refuse a server that lacks what we need."""
    if tuple(int(part) for part in found.split("-")[0].split(".")[:2]) < OLDEST:
        raise ConfigurationError(
            f"Expected Weaviate {'.'.join(map(str, OLDEST))} or newer, found {found}. Upgrade the server."
        )


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the client's errors into ours: worth a retry, wrong settings, or refused."""
    from httpx import HTTPError
    from weaviate.exceptions import WeaviateBaseError

    try:
        yield
    except (WeaviateBaseError, HTTPError) as error:
        raise _in_our_words(what, error) from error


def is_transient(reason: str) -> bool:
    """Whether trying again may help, told from the server's reason."""
    return bool(_TRANSIENT.search(_OUR_NAMES.sub("", reason).lower()))


def _in_our_words(what: str, error: Exception) -> LiftgateError:
    from httpx import HTTPError
    from weaviate.exceptions import (
        AuthenticationFailedError,
        UnexpectedStatusCodeError,
        WeaviateConnectionError,
        WeaviateGRPCUnavailableError,
        WeaviateStartUpError,
        WeaviateTimeoutError,
    )

    status = error.status_code if isinstance(error, UnexpectedStatusCodeError) else None
    reason = " ".join(str(error).split())[:500]
    words = _OUR_NAMES.sub("", reason).lower()  # a collection may be named for anything
    if any(word in words for word in _NO_COLLECTION):
        return CollectionMissing(
            f"Expected Weaviate to {what}, found that it has no such collection: {reason} If it stays so, somebody "
            "deleted it: change vector_index.table, and the next run makes a new one."
        )
    refused = isinstance(error, AuthenticationFailedError) or bool(_REFUSED_KEY.search(words))
    if status in (401, 403) or (refused and status is None):
        return ConfigurationError(
            f"Expected Weaviate to accept the key, found when trying to {what}: {reason}. "
            "Correct LIFTGATE_WEAVIATE_API_KEY or the Airflow connection, or the key's rights."
        )
    away = (
        WeaviateConnectionError,
        WeaviateTimeoutError,
        WeaviateStartUpError,
        WeaviateGRPCUnavailableError,
        HTTPError,
    )
    if isinstance(error, away) or status in (429, 500, 502, 503, 504) or (status is None and is_transient(reason)):
        return IndexUnavailable(
            f"Expected Weaviate to {what}, found: {reason}. Start it, or correct LIFTGATE_WEAVIATE_URL, "
            "LIFTGATE_WEAVIATE_GRPC_URL or the Airflow connection."
        )
    return IndexRefused(f"Expected Weaviate to {what}, found: {reason}.")


def _addresses(settings: Settings) -> tuple[SplitResult, SplitResult]:
    if settings.weaviate_url is None:
        raise ConfigurationError(
            "Expected the address of a Weaviate server, found none. Set LIFTGATE_WEAVIATE_URL, or in Airflow name a "
            "connection as `weaviate_conn_id` in the extras of liftgate_database."
        )
    http = urlsplit(settings.weaviate_url)
    if http.scheme not in ("http", "https") or not http.hostname:
        raise ConfigurationError(
            f"Expected LIFTGATE_WEAVIATE_URL to be like http://host:8080, found {settings.weaviate_url}. Correct it."
        )
    secure = "grpcs" if http.scheme == "https" else "grpc"
    grpc = urlsplit(settings.weaviate_grpc_url or f"{secure}://{http.hostname}:{_GRPC_PORT}")
    if grpc.scheme not in ("grpc", "grpcs") or not grpc.hostname:
        raise ConfigurationError(
            f"Expected LIFTGATE_WEAVIATE_GRPC_URL to be like grpc://host:{_GRPC_PORT}, found "
            f"{settings.weaviate_grpc_url}. Correct it."
        )
    if (http.hostname, _port(http)) == (grpc.hostname, _port(grpc)):
        raise ConfigurationError(
            f"Expected another port for gRPC than for HTTP, found {_port(http)} for both on {http.hostname}. Correct "
            "LIFTGATE_WEAVIATE_GRPC_URL, or grpc_port of the Airflow connection."
        )
    return http, grpc


def _port(address: SplitResult) -> int:
    return address.port or {"http": 80, "https": 443, "grpc": _GRPC_PORT, "grpcs": 443}[address.scheme]
