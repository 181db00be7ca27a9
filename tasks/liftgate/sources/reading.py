"""What readers of all kinds share: walking folders, times, and errors in the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from importlib import import_module
from typing import Any, NamedTuple

from liftgate.errors import ConfigurationError, DocumentChanged, DocumentUnreadable
from liftgate.sources.identity import Listed

LINK = "link"
"""The version hint of what is no file: it is listed, so that it shows up in quarantine, and never read."""


class FolderEntry(NamedTuple):
    """One entry of a folder of any file system."""

    name: str
    kind: str
    """file, directory, or anything else: a link, a device."""
    hint: str
    size_bytes: int
    updated_at: datetime
    groups: tuple[str, ...] | None = None


def files_below(entries_of: Callable[[str], Iterable[FolderEntry]], folder: str = "") -> Iterator[Listed]:
    """Every file below a folder, one folder in memory at a time. `entries_of` gets a path below the root.

    Example: files "b/c.md" and "a.md" -> a.md, b/c.md
    """
    for entry in sorted(entries_of(folder)):
        uri = f"{folder}/{entry.name}" if folder else entry.name
        if entry.kind == "directory":
            yield from files_below(entries_of, uri)
        else:
            hint = entry.hint if entry.kind == "file" else LINK
            yield Listed(uri, hint, entry.size_bytes, entry.updated_at, entry.groups)


def as_time(value: Any) -> datetime:
    """A time in UTC from whatever a store calls one: seconds, ISO text, a time, or a day. Without any, 1970."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    return datetime.fromtimestamp(float(value or 0), tz=UTC)


def require_same(uri: str, listed: str, found: str) -> None:
    """Raise DocumentChanged where a document is no longer in the version that was listed."""
    if found != listed:
        raise DocumentChanged(f"Expected version {listed} of {uri}, found {found}. The next run lists it again.")


def read_unchanged(uri: str, listed: str, hint: Callable[[], str], read: Callable[[], bytes]) -> bytes:
    """The file's bytes, if it has that version before and after, so that one that changes meanwhile is not taken."""
    if listed == LINK:
        raise refuse_link(uri)
    try:
        require_same(uri, listed, hint())
        data = read()
        require_same(uri, listed, hint())
    except FileNotFoundError as error:
        raise gone(uri) from error
    return data


def gone(uri: str) -> DocumentChanged:
    """The error for a document that was deleted after it was listed."""
    return DocumentChanged(f"Expected {uri} as it was listed, found that it is gone. The next run lists again.")


def refuse_link(uri: str) -> DocumentUnreadable:
    """The error for what is listed and is no file."""
    return DocumentUnreadable(
        f"Expected {uri} to be a file, found a link (or a device). Put the file itself there, or narrow `include`."
    )


def import_for(kind: str, module: str, extra: str) -> Any:
    """A library that only this kind of source needs. Raises ConfigurationError naming the extra that has it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"Expected the package {error.name} for sources of the kind {kind}, found none. "
            f"Run: pip install 'liftgate[{extra}]'"
        ) from error
