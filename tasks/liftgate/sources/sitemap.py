"""Sitemaps, and indexes of sitemaps, as https://www.sitemaps.org/protocol.html has them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from liftgate.errors import DocumentUnreadable, SourceError
from liftgate.sources.reading import as_time
from liftgate.sources.web import Web

MOST_BYTES = 50_000_000
"""Of one sitemap, unpacked: the protocol's own limit."""
MOST_SITEMAPS = 50_000
"""Of one source: as many as the protocol allows in an index."""
_BLOCK = 65536
_ROOTS = ("urlset", "sitemapindex")


class Page(NamedTuple):
    """A page of a sitemap. `lastmod` is empty where the sitemap does not say, or says what is no time."""

    url: str
    lastmod: str = ""


def addresses_of(web: Web, sitemap: str) -> Iterator[Page]:
    """The pages of a sitemap and of all that it leads to, each once. Raises SourceError."""
    waiting, seen, sitemaps = [sitemap], {sitemap}, 1
    while waiting:
        at = waiting.pop()
        for kind, page in _entries(_fetch(web, at), at):
            if page.url in seen:
                continue
            seen.add(page.url)
            if kind == "url":
                yield page
            else:
                waiting.append(page.url)
                sitemaps += 1
                if sitemaps > MOST_SITEMAPS:
                    raise SourceError(f"Expected {sitemap} to lead to at most {MOST_SITEMAPS} sitemaps, found more.")


def _fetch(web: Web, sitemap: str) -> bytes:
    try:
        answer = web.get(sitemap, MOST_BYTES)
    except DocumentUnreadable as error:
        raise SourceError(str(error)) from error
    if answer is None:
        raise SourceError(f"Expected a sitemap at {sitemap}, found none. Correct its address.")
    return _unpacked(answer.body, sitemap) if answer.body[:2] == b"\x1f\x8b" else answer.body


def _unpacked(data: bytes, sitemap: str) -> bytes:
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unpacking.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise SourceError(f"Expected {sitemap} to be gzip, found {error}. Mend the sitemap.") from error
    if unpacking.unconsumed_tail:
        raise SourceError(f"Expected {sitemap} with at most {MOST_BYTES} bytes, found more. Split the sitemap.")
    return found


def _entries(data: bytes, sitemap: str) -> Iterator[tuple[str, Page]]:
    """("url" or "sitemap", address) for each entry. Nothing that the file declares is looked up or unfolded."""
    from lxml import etree

    parser = etree.XMLPullParser(events=("end",), resolve_entities=False, no_network=True, huge_tree=False)
    try:
        for start in range(0, len(data), _BLOCK):
            parser.feed(data[start : start + _BLOCK])
            yield from _found(parser.read_events())
        root = etree.QName(parser.close()).localname
        yield from _found(parser.read_events())
    except etree.XMLSyntaxError as error:
        raise SourceError(f"Expected a sitemap at {sitemap}, found {error}. Mend the sitemap.") from error
    if root not in _ROOTS:  # a server that is being mended says so in XHTML, which would look like no pages at all
        raise SourceError(f"Expected a sitemap at {sitemap}, found <{root}>. Correct its address, or mend the server.")


def _found(events: Iterator[tuple[str, object]]) -> Iterator[tuple[str, Page]]:
    from lxml import etree

    for _, element in events:
        assert isinstance(element, etree._Element)
        kind = etree.QName(element).localname
        if kind in ("url", "sitemap"):
            texts = {etree.QName(child).localname: (child.text or "").strip() for child in element.iterchildren("{*}*")}
            if texts.get("loc"):
                yield kind, Page(texts["loc"], _time(texts.get("lastmod", "")))
            element.clear()


def _time(lastmod: str) -> str:
    """Example: 2024 -> 2024-01-01; 2024-05 -> 2024-05-01; 2024-05-06T07:08Z -> the same; yesterday -> nothing"""
    whole = lastmod + {4: "-01-01", 7: "-01"}.get(len(lastmod), "")
    try:
        as_time(whole)
    except (ValueError, OverflowError):
        return ""
    return whole
