"""What a document is, before anyone has opened it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Document(NamedTuple):
    """The identity of a document."""

    source: str
    uri: str


@dataclass(frozen=True)
class Listed:
    """One entry of a listing.

    `version_hint` is whatever the source can tell without opening the document (modification time and size, ETag,
    commit): equal hints mean that the document need not be opened.
    """

    uri: str
    version_hint: str
    size_bytes: int
    updated_at: datetime
    groups: tuple[str, ...] | None = None


def doc_id(uri: str, prefix: str = "") -> str:
    """The id that an answer cites: letters, digits, dot, underscore and dash.

    Example: `hr/leave/parental leave.md` -> `hr.leave.parental-leave.md`
    """
    return prefix + re.sub(r"[^A-Za-z0-9._-]", "-", uri.replace("/", "."))
