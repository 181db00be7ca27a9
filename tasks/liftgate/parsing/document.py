"""Choose the parser for a document, and refuse what cannot be read."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from liftgate import fingerprints
from liftgate.config.parsing import Parsing
from liftgate.errors import DocumentUnreadable
from liftgate.parsing.elements import Element
from liftgate.parsing.html import parse_html
from liftgate.parsing.markdown import parse_markdown
from liftgate.parsing.pdf import parse_pdf
from liftgate.parsing.plain import parse_plain

PARSER_VERSION = 1
"""Raised by hand when an unchanged document gives other elements. A library's upgrade does not count."""

_PARSERS: dict[str, Callable[[bytes, str, Parsing], list[Element]]] = {
    "application/pdf": lambda data, uri, config: parse_pdf(data, uri, config.max_document_bytes),
    "text/markdown": lambda data, uri, _: parse_markdown(data, uri),
    "text/plain": lambda data, uri, _: parse_plain(data, uri),
    "text/html": lambda data, uri, _: parse_html(data, uri),
}
_SUFFIXES = {".md": "text/markdown", ".markdown": "text/markdown", ".text": "text/plain"}


def parse(data: bytes, uri: str, config: Parsing) -> list[Element]:
    """The elements of a document in reading order, at least one.

    Raises DocumentUnreadable where the type is not allowed, or the document is too large, damaged,
    encrypted, not text, or without any text.
    """
    require_size(len(data), uri, config)
    found = _allowed_type(data, uri, config)
    try:
        elements = _PARSERS[found](data, uri, config)
    except DocumentUnreadable:
        raise
    except Exception as error:  # no document may stop a run, whatever a parser makes of it
        raise DocumentUnreadable(
            f"Expected {uri} to be sound {found}, found that its parser failed: {type(error).__name__}: {error}. "
            "Save it again, or leave it out."
        ) from error
    if not elements:
        raise DocumentUnreadable(f"Expected text in {uri}, found none. Fill the document, or delete it at its source.")
    return elements


def require_size(size_bytes: int, uri: str, config: Parsing) -> None:
    """Raise DocumentUnreadable for a document that is too large to be read at all."""
    if size_bytes > config.max_document_bytes:
        raise DocumentUnreadable(
            f"Expected {uri} to have at most {config.max_document_bytes} bytes, found {size_bytes}. "
            "Split the document, or raise parsing.max_document_bytes."
        )


def fingerprint(config: Parsing) -> str:
    """Changes when a document may give other elements: our version and the settings, no library's version."""
    settings = {
        "version": PARSER_VERSION,
        "types": sorted(config.allowed_mime_types),
        "max_document_bytes": config.max_document_bytes,
    }
    return fingerprints.fingerprint(settings)


def mime_type(data: bytes, uri: str) -> str:
    """Told by the first bytes of a PDF, otherwise by the suffix; addresses of pages rarely have one that means it.

    Example: b"%PDF-1.7 ...", "scan.txt" -> "application/pdf"; b"# Leave", "leave.md" -> "text/markdown"
    """
    beginning = data[:1024].lstrip()
    if beginning[:5] == b"%PDF-":
        return "application/pdf"
    path = urlsplit(uri).path if uri.startswith(("http://", "https://")) else uri
    suffix = PurePosixPath(path).suffix.lower()
    by_suffix = _SUFFIXES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or "unknown"
    if by_suffix not in _PARSERS and beginning[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "text/html"
    return by_suffix


def _allowed_type(data: bytes, uri: str, config: Parsing) -> str:
    found = mime_type(data, uri)
    if found in config.allowed_mime_types:
        return found
    raise DocumentUnreadable(
        f"Expected {uri} to be one of {', '.join(config.allowed_mime_types)}, found {found}. "
        "Convert it, leave it out of the source's paths, or add its type to parsing.allowed_mime_types."
    )
