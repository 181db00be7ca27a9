"""Pages of a web server: those of a sitemap, or a list of addresses."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from typing import Self

from pydantic import Field, model_validator

from liftgate.config.addresses import Address
from liftgate.config.sources import SourceBlock
from liftgate.errors import DocumentUnreadable, PageForbidden, SourceError
from liftgate.sources.connections import Connections
from liftgate.sources.identity import Listed
from liftgate.sources.reading import as_time, gone, require_same
from liftgate.sources.sitemap import Page, addresses_of
from liftgate.sources.web import Answer, Web, origin

AT_ONCE = 8
"""Requests in flight while pages are asked for their versions."""


class Http(SourceBlock):
    """Pages of a web server (extra `http`). The paths of patterns are whole addresses."""

    sitemap: Address | None = None
    """Address of a sitemap, or of an index of sitemaps. One that begins with a slash is below the connection's."""
    addresses: tuple[Address, ...] = ()
    """Addresses of pages, in place of a sitemap, written in the same way."""
    hosts: tuple[Address, ...] = ()
    """More hosts that pages and redirects may be on, like https://docs.example.com. Others are quarantined."""
    max_bytes: int = Field(default=20_000_000, ge=1)
    """A larger page is quarantined, and not read to its end."""
    conn_id: str | None = None
    """A connection with login and password, or `headers` in its extra, sent to the hosts of this source alone."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.sitemap) == bool(self.addresses):
            raise ValueError("either `sitemap` or `addresses` is needed, not both; keep one")
        if not self.conn_id and any(address.startswith("/") for address in self.first()):
            raise ValueError("an address that begins with a slash needs `conn_id`, whose address comes before it")
        return self

    def first(self) -> tuple[str, ...]:
        """The addresses that all others are found from."""
        return (self.sitemap,) if self.sitemap else self.addresses

    def open(self, connections: Connections) -> HttpReader:
        """Its pages."""
        return HttpReader(self, connections)


class HttpReader:
    """Pages by their addresses. A version is an ETag, else Last-Modified, else `lastmod` of the sitemap."""

    def __init__(self, block: Http, connections: Connections):
        self._block = block
        self._connections = connections
        self._forbidden: PageForbidden | None = None

    @cached_property
    def _first(self) -> list[str]:
        """Whole addresses. A connection is asked for its own only where one is below it."""
        below = any(address.startswith("/") for address in self._block.first())
        base = self._connections(self._block.conn_id).url if below and self._block.conn_id else ""
        return [base + address if address.startswith("/") else address for address in self._block.first()]

    @cached_property
    def _web(self) -> Web:
        allowed = {origin(address) for address in (*self._first, *self._block.hosts)}
        return Web(allowed, self._block.max_bytes, self._block.conn_id, self._connections)

    def list(self) -> Iterator[Listed]:
        """Every page, asked for its version without its content where the server can tell one.

        Raises SourceError where the server gives none of them to the login of the source: that is not the pages' fault.
        """
        found = self._addresses()
        self._forbidden, gives = None, False
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while some := list(islice(found, AT_ONCE * 8)):
                for listed in pool.map(self._listed, some):
                    if listed:
                        gives = gives or not listed.version_hint.startswith("refused:")
                        yield listed
        if self._forbidden and not gives:
            raise SourceError(f"Expected pages from the server, found that it refuses all of them: {self._forbidden}")

    def read(self, uri: str, version_hint: str) -> bytes:
        """The page's bytes, if it still has the listed version."""
        kind, _, listed = version_hint.partition(":")
        try:
            answer = self._web.get(uri)
        except PageForbidden as error:
            if kind == "refused":  # so it was listed already, among others that the server gives
                raise DocumentUnreadable(str(error)) from error
            raise
        if answer is None:
            raise gone(uri)
        if kind != "lastmod":  # that is the sitemap's word, which the page itself does not give
            require_same(uri, version_hint, _version(answer) if kind != "sha256" else answer.digest)
        return answer.body

    def _addresses(self) -> Iterator[Page]:
        if self._block.sitemap:
            return addresses_of(self._web, self._first[0])
        return (Page(address) for address in dict.fromkeys(self._first))

    def _listed(self, address: Page) -> Listed | None:
        """None for a page that is not there. What can be listed and will never be read is quarantined by reading."""
        changed = as_time(address.lastmod or None)
        try:
            answer = self._web.head(address.url)
            if answer is None:
                return None
            hint = _version(answer) or (f"lastmod:{address.lastmod}" if address.lastmod else "")
            if not hint:  # the server tells nothing: only the content can say whether it changed
                answer = self._web.get(address.url)
                hint = answer.digest if answer else ""
        except (DocumentUnreadable, PageForbidden) as refused:
            if isinstance(refused, PageForbidden):
                self._forbidden = refused
            return Listed(address.url, f"refused:{refused}", 0, changed)
        return Listed(address.url, hint, answer.size, answer.modified or changed) if answer else None


def _version(answer: Answer) -> str:
    if answer.etag:
        return f"etag:{answer.etag}"
    return f"modified:{answer.modified.isoformat()}" if answer.modified else ""
