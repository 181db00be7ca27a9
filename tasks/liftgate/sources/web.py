"""Requests to a few known hosts, within bounds: sizes, redirects, and where they lead."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin, urlsplit

from liftgate.errors import DocumentUnreadable, PageForbidden, SourceError
from liftgate.sources.connections import Connections
from liftgate.sources.reading import import_for

MOST_REDIRECTS = 5
TIMEOUT_SECONDS = 30.0
PAUSES_SECONDS = (0.5, 2.0)
_BUSY = (429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (404, 410)
_FORBIDDEN = (401, 403)
_NO_HEAD = (405, 501)


@dataclass(frozen=True)
class Answer:
    """What a server says of a page, with its body where that was asked for."""

    etag: str
    modified: datetime | None
    size: int
    body: bytes = b""

    @property
    def digest(self) -> str:
        """The content as a version."""
        return f"sha256:{sha256(self.body).hexdigest()}"


def origin(address: str) -> str:
    """Example: https://Docs.example.com/a?b -> https://docs.example.com"""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _is_address(address: str) -> bool:
    import httpx

    try:
        origin(address)
        httpx.URL(address)
    except (ValueError, httpx.InvalidURL):
        return False
    return True


def _joined(address: str, location: str) -> str:
    """Where a redirect leads; what cannot be joined stays as it is, and is no address."""
    try:
        return urljoin(address, location)
    except ValueError:
        return location


class Web:
    """A client for the pages of one source.

    A page that leads elsewhere, around in a circle, or is too large is refused as DocumentUnreadable; a server that
    answers anything else than the page or that it is gone is a SourceError (PageForbidden, where it refuses the login).
    """

    def __init__(self, allowed: Collection[str], max_bytes: int, conn_id: str | None, connections: Connections):
        self._allowed = allowed
        self._max_bytes = max_bytes
        self._conn_id = conn_id
        self._connections = connections

    def head(self, address: str) -> Answer | None:
        """What the server says of a page without sending it. None if it is not there."""
        return self._follow("HEAD", address, lambda response: b"")

    def get(self, address: str, max_bytes: int | None = None) -> Answer | None:
        """A page, of at most so many bytes in place of those of the source. None if it is not there."""
        return self._follow("GET", address, lambda response: _body(address, response, max_bytes or self._max_bytes))

    def _follow(self, method: str, address: str, body: Callable[[Any], bytes]) -> Answer | None:
        at = address
        for _ in range(MOST_REDIRECTS + 1):
            if not _is_address(at):
                raise DocumentUnreadable(
                    f"Expected {address} to be an address, or to lead to one, found {at!r}. Mend what names it."
                )
            if origin(at) not in self._allowed:
                raise DocumentUnreadable(
                    f"Expected {address} on {', '.join(sorted(self._allowed))}, found that it leads to {origin(at)}. "
                    "Add that to `hosts` of the source, or leave the page out."
                )
            with self._asked(method, at) as response:
                if method == "HEAD" and response.status_code in _NO_HEAD:
                    return self._follow("GET", at, lambda response: b"")
                if response.status_code not in _REDIRECTS:
                    return self._answer(address, response, body)
                at = _joined(at, response.headers.get("location", ""))
        raise DocumentUnreadable(
            f"Expected {address} after at most {MOST_REDIRECTS} redirects, found more: it leads around in a circle. "
            "Mend the server, or leave the page out."
        )

    @contextmanager
    def _asked(self, method: str, address: str) -> Iterator[Any]:
        """The response, asked for again where the server is busy for a moment."""
        for pause in PAUSES_SECONDS:
            with self._client.stream(method, address) as response:
                if response.status_code not in _BUSY:
                    yield response
                    return
            time.sleep(pause)
        with self._client.stream(method, address) as response:
            yield response

    def _answer(self, address: str, response: Any, body: Callable[[Any], bytes]) -> Answer | None:
        if response.status_code in _GONE:
            return None
        if response.status_code in _FORBIDDEN:
            raise PageForbidden(
                f"Expected {address} with status 200, found {response.status_code}. Check the credentials of the "
                "source and what they may read, or leave the page out."
            )
        if response.status_code != 200:
            raise SourceError(
                f"Expected {address} with status 200, found {response.status_code}. Check the address and the "
                "credentials of the source; a server that is busy is asked again by the retry."
            )
        headers = response.headers
        modified = _time(headers.get("last-modified"))
        return Answer(headers.get("etag", ""), modified, int(headers.get("content-length") or 0), body(response))

    @cached_property
    def _client(self) -> Any:
        httpx = import_for("http", "httpx", "http")
        # An ETag differs where a page is packed, so both HEAD and GET ask for it as it is.
        headers: Mapping[str, str] = {"Accept-Encoding": "identity", "User-Agent": "liftgate"}
        auth = None
        if self._conn_id:
            found = self._connections(self._conn_id)
            headers = {**headers, **found.extra.get("headers", {})}
            auth = (found.login, found.password) if found.login else None
        return httpx.Client(headers=headers, auth=auth, timeout=TIMEOUT_SECONDS, follow_redirects=False)


def _body(address: str, response: Any, max_bytes: int) -> bytes:
    """What is sent may be packed, however it was asked for, so what counts is how large it becomes."""
    found = bytearray()
    for block in response.iter_bytes(65536):
        found += block
        if len(found) > max_bytes:
            raise DocumentUnreadable(
                f"Expected {address} to have at most {max_bytes} bytes, found more. Leave it out, or split it; the "
                "limit of a page is `max_bytes` of the source."
            )
    return bytes(found)


def _time(value: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(value).astimezone(UTC) if value else None
    except ValueError:
        return None
