"""`parsing:` which documents are read, and up to what size."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from liftgate.config.block import Block

MimeType = Literal["application/pdf", "text/markdown", "text/plain", "text/html"]
ALL_TYPES: tuple[MimeType, ...] = ("application/pdf", "text/markdown", "text/plain", "text/html")


class Parsing(Block):
    """How bytes become elements of text. A change here parses every document again."""

    allowed_mime_types: tuple[MimeType, ...] = Field(default=ALL_TYPES, min_length=1)
    """Documents of any other type are quarantined, with their type as the reason."""
    max_document_bytes: int = Field(default=20_000_000, ge=1)
    """A larger document is quarantined: it is more often an export gone wrong than something to read. A PDF is as
    large as what its pages unpack to, if that is more."""
