"""Bytes to text."""

from __future__ import annotations

import codecs
import re

from liftgate.errors import DocumentUnreadable

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)


def decode(data: bytes, uri: str) -> str:
    """Text in UTF-8, or in UTF-16 where it starts with a byte order mark; line ends become newlines."""
    return _decode(data, uri, _marked(data) or "utf-8")


def decode_html(data: bytes, uri: str) -> str:
    """As `decode`, but heeds the charset that the page declares about itself in its first 2,048 bytes."""
    declared = _DECLARED.search(data[:2048])
    return _decode(data, uri, _marked(data) or (declared.group(1).decode() if declared else "utf-8"))


def _marked(data: bytes) -> str | None:
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def _decode(data: bytes, uri: str, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise DocumentUnreadable(
            f"Expected {uri} to be text in {encoding}, found {error}. Save the document as UTF-8."
        ) from error
    if "\0" in text:
        raise DocumentUnreadable(
            f"Expected {uri} to be text, found bytes of zero in it. Check what the file really is."
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")
