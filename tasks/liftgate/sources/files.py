"""Files below a folder of any file system that fsspec knows: the one class that most kinds are configuration of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from liftgate.errors import DocumentChanged, SourceError
from liftgate.sources.identity import Listed

_STRICT: dict[str, dict[str, str]] = {"file": {"on_error": "raise"}}
"""By default fsspec leaves out local folders that it cannot read, so that they would look like removals."""


class FileSystemReader:
    """Lists and reads the files below a folder: a local one, S3, GCS, SFTP, ..."""

    def __init__(self, protocol: str, root: str):
        self._protocol = protocol
        self._root = root

    def list(self) -> Iterator[Listed]:
        """Every file, in the order of their paths."""
        try:
            found = self._files().find(self._root, detail=True, **_STRICT.get(self._protocol, {}))
        except Exception as error:
            raise SourceError(_broken(f"the files below {self._root}", error)) from error
        for path, info in sorted(found.items()):
            uri = path.removeprefix(self._root).lstrip("/")
            yield Listed(uri, _hint(info), int(info["size"] or 0), _updated_at(info))

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

    def _files(self) -> Any:
        import fsspec

        return fsspec.filesystem(self._protocol)


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
