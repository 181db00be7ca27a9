"""What a document is, before anyone has opened it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple


class Document(NamedTuple):
    """The identity of a document."""

    source: str
    uri: str


@dataclass(frozen=True)
class Listed:
    """One entry of a listing.

    `version_hint` is whatever the source can tell without opening the document (modification time and size, ETag,
    commit): equal hints mean that the document need not be opened. `size_bytes` is 0 where the source does not tell it:
    then nobody sees before it is opened that a document only moved, so earlier releases show it to whom they did.
    """

    uri: str
    version_hint: str
    size_bytes: int
    updated_at: datetime
    groups: tuple[str, ...] | None = None


def doc_id(uri: str, prefix: str = "") -> str:
    """The id that an answer cites: letters, digits, dot, underscore and dash.

    Names in other scripts would all look alike, so a hash keeps them apart.

    Example: `hr/leave/parental leave.md` -> `hr.leave.parental-leave.md`; `人事/休暇.md` -> `--.--.md-4e01de30`
    """
    told_apart = "" if uri.isascii() else "-" + sha256(uri.encode()).hexdigest()[:8]
    return prefix + re.sub(r"[^A-Za-z0-9._-]", "-", uri.replace("/", ".")) + told_apart
