"""Mistakes in the code of a kind of source, told apart from a source that does not answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from liftgate.config.sources import SourceBlock
from liftgate.errors import KindFaulty
from liftgate.sources.identity import Listed

_OF_CODE = (AttributeError, LookupError, NameError, NotImplementedError, TypeError)
_BUILT_IN = "liftgate.sources.kinds."
_STORABLE = re.compile(r"[^\0\ud800-\udfff]*").fullmatch


def kind_faulty(block: SourceBlock, method: str, expected: str, found: str) -> KindFaulty:
    """Example: Expected list of source wiki (/dags/sources/wiki.py) to yield Listed, found dict: {}. Mend ..."""
    module, gives = block.kind_file or type(block).__module__, "yield" if method == "list" else "return"
    return KindFaulty(
        f"Expected {method} of source {block.name} ({module}) to {gives} {expected}, found {found}. "
        "Mend the code of its kind; liftgate.testing.source_contract checks it."
    )


def is_of_code(block: SourceBlock, error: Exception) -> bool:
    """Whether an error is one of the code's. A built-in kind is tried on servers: there, it is the settings'."""
    return isinstance(error, _OF_CODE) and not type(block).__module__.startswith(_BUILT_IN)


def without_links(error: Exception) -> str:
    """What an error says, without the line in which httpx says where statuses are explained."""
    return "\n".join(line for line in str(error).splitlines() if not line.startswith("For more information check:"))


def require_sound(block: SourceBlock, listed: Any) -> None:
    """Raise KindFaulty for an entry that could not be stored here, where its kind is known."""
    if not isinstance(listed, Listed):
        raise kind_faulty(block, "list", "Listed", f"{type(listed).__name__}: {listed!r:.200}")
    wrong = [name for name, is_right in _fields(listed).items() if not is_right]
    if wrong:
        found = ", ".join(f"{name}={getattr(listed, name)!r:.100}" for name in wrong)
        raise kind_faulty(
            block,
            "list",
            "Listed(uri: text, version_hint: text, size_bytes: whole number, updated_at: time with its zone, groups: "
            "texts or None)",
            f"{found} of {listed.uri!r:.100}",
        )


def _fields(listed: Listed) -> dict[str, bool]:
    """Whether each field is what it should be, whatever a kind has put there."""
    groups: Any = listed.groups
    return {
        "uri": _is_name(listed.uri),
        "version_hint": _is_name(listed.version_hint),
        "size_bytes": isinstance(listed.size_bytes, int) and listed.size_bytes >= 0,
        "updated_at": isinstance(listed.updated_at, datetime) and listed.updated_at.tzinfo is not None,
        "groups": groups is None or (isinstance(groups, tuple | list) and all(map(_is_name, groups))),
    }


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and bool(_STORABLE(value))
