"""Choose the parser for a document, and refuse what cannot be read."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import PurePosixPath

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

_PARSERS: dict[str, Callable[[bytes, str], list[Element]]] = {
    "application/pdf": parse_pdf,
    "text/markdown": parse_markdown,
    "text/plain": parse_plain,
    "text/html": parse_html,
}
_SUFFIXES = {".md": "text/markdown", ".markdown": "text/markdown", ".text": "text/plain"}


def parse(data: bytes, uri: str, config: Parsing) -> list[Element]:
    """The elements of a document in reading order, at least one.

    Raises DocumentUnreadable where the type is not allowed, or the document is too large, damaged,
    encrypted, not text, or without any text.
    """
    if len(data) > config.max_document_bytes:
        raise DocumentUnreadable(
            f"Expected {uri} to have at most {config.max_document_bytes} bytes, found {len(data)}. "
            "Split the document, or raise parsing.max_document_bytes."
        )
    elements = _PARSERS[_allowed_type(data, uri, config)](data, uri)
    if not elements:
        raise DocumentUnreadable(f"Expected text in {uri}, found none. Fill the document, or delete it at its source.")
    return elements


def fingerprint(config: Parsing) -> str:
    """Changes when a document may give other elements: our version and the settings, no library's version."""
    settings = {
        "version": PARSER_VERSION,
        "types": sorted(config.allowed_mime_types),
        "max_document_bytes": config.max_document_bytes,
    }
    return fingerprints.fingerprint(settings)


def mime_type(data: bytes, uri: str) -> str:
    """Told by the first bytes of a PDF, otherwise by the suffix.

    Example: b"%PDF-1.7 ...", "scan.txt" -> "application/pdf"; b"# Leave", "leave.md" -> "text/markdown"
    """
    if data.lstrip()[:5] == b"%PDF-":
        return "application/pdf"
    suffix = PurePosixPath(uri).suffix.lower()
    return _SUFFIXES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or "unknown"


def _allowed_type(data: bytes, uri: str, config: Parsing) -> str:
    found = mime_type(data, uri)
    if found in config.allowed_mime_types:
        return found
    raise DocumentUnreadable(
        f"Expected {uri} to be one of {', '.join(config.allowed_mime_types)}, found {found}. "
        "Convert it, leave it out of the source's paths, or add its type to parsing.allowed_mime_types."
    )
