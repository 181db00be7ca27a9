"""Fingerprints: short hashes of settings and contents that say whether two things are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def fingerprint(value: Any) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a value's canonical JSON.

    Example: {"b": 1, "a": 2} and {"a": 2, "b": 1} have the same fingerprint.
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def digest_of(lines: Iterable[str]) -> str:
    """One SHA-256 over many lines, without holding them in memory. The order counts: sort first."""
    total = hashlib.sha256()
    for line in lines:
        total.update(line.encode())
        total.update(b"\n")
    return total.hexdigest()


def content_hash(data: bytes) -> str:
    """The version of a document: SHA-256 of its bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
