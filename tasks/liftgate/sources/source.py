"""The interface of a source, and the one class that most sources are configuration of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Protocol

from liftgate.config.access import Access
from liftgate.config.sources import FolderSource, S3Source
from liftgate.errors import DocumentChanged, SourceError
from liftgate.sources.connections import Connections
from liftgate.sources.identity import Listed

_STRICT: dict[str, dict[str, str]] = {"file": {"on_error": "raise"}}
"""By default fsspec leaves out local folders that it cannot read, so that they would look like removals."""


class Source(Protocol):
    """Where documents come from. `list` never opens a document; `read` never returns another version than listed."""

    name: str

    def list(self) -> Iterator[Listed]:
        """Every document that there is, streamed. Raises SourceError where it breaks off."""
        ...

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of that version. Raises DocumentChanged if it is no longer the listed one."""
        ...


class FileSystemSource:
    """Files below a folder of any file system that fsspec knows: a local folder, S3, GCS, SFTP, ..."""

    def __init__(self, block: FolderSource | S3Source, access: Access):
        self.name = block.name
        self._include = tuple(path_pattern(include) for include in block.include)
        self._rules = tuple((path_pattern(rule.path), rule.groups) for rule in access.rules)
        self._default_groups = access.default_groups
        self._protocol, self._root = _place(block)

    def list(self) -> Iterator[Listed]:
        """Every file whose path matches, in the order of their paths."""
        try:
            found = self._files().find(self._root, detail=True, **_STRICT.get(self._protocol, {}))
        except Exception as error:
            raise SourceError(_broken(f"the files below {self._root}", error)) from error
        for path, info in sorted(found.items()):
            uri = path.removeprefix(self._root).lstrip("/")
            if any(pattern.match(uri) for pattern in self._include):
                yield Listed(uri, _hint(info), int(info["size"] or 0), _updated_at(info), self._groups(uri))

    def read(self, uri: str, version_hint: str) -> bytes:
        """The file's bytes, checked before and after, so that a file that changes meanwhile is not taken."""
        path = f"{self._root}/{uri}"
        try:
            files = self._files()
            self._require(path, version_hint)
            data: bytes = files.cat_file(path)
            self._require(path, version_hint)
        except FileNotFoundError as error:
            raise DocumentChanged(
                f"Expected {uri} as it was listed, found that it is gone. The next run lists again."
            ) from error
        except OSError as error:
            raise SourceError(_broken(uri, error)) from error
        return data

    def _require(self, path: str, version_hint: str) -> None:
        files = self._files()
        files.invalidate_cache()
        found = _hint(files.info(path))
        if found != version_hint:
            raise DocumentChanged(
                f"Expected version {version_hint} of {path}, found {found}. The next run lists it again."
            )

    def _groups(self, uri: str) -> tuple[str, ...]:
        groups = next((groups for pattern, groups in self._rules if pattern.match(uri)), self._default_groups)
        return tuple(sorted(set(groups)))

    def _files(self) -> Any:
        import fsspec

        return fsspec.filesystem(self._protocol)


def source_for(block: FolderSource | S3Source, access: Access, connections: Connections) -> Source:
    """The source that a block of configuration describes."""
    return FileSystemSource(block, access)


def _place(block: FolderSource | S3Source) -> tuple[str, str]:
    if isinstance(block, FolderSource):
        return "file", block.path.rstrip("/")
    return "s3", str(PurePosixPath(block.bucket) / block.prefix).rstrip("/")


def _hint(info: dict[str, Any]) -> str:
    """What tells versions apart without opening the file: the store's own tag, else time and size."""
    for tag in ("ETag", "etag", "generation", "md5Hash"):
        if info.get(tag):
            return str(info[tag]).strip('"')
    changed = info.get("mtime") or info.get("LastModified") or info.get("last_modified")
    return f"{changed}-{info['size']}"


def _updated_at(info: dict[str, Any]) -> datetime:
    changed = info.get("mtime") or info.get("LastModified") or info.get("last_modified") or 0
    if isinstance(changed, datetime):
        return changed.astimezone(UTC)
    return datetime.fromtimestamp(float(changed), tz=UTC)


def _broken(what: str, error: Exception) -> str:
    return f"Expected to read {what}, found {type(error).__name__}: {error}. Check the path and its permissions."


@lru_cache(maxsize=1024)
def path_pattern(glob: str) -> Any:
    """A path pattern as a regular expression: `*` stays within a folder, `**` crosses folders.

    Example: `finance/**` matches `finance/2025/budget.md` and not `hr/finance.md`.
    """
    import re

    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces) + r"\Z")
