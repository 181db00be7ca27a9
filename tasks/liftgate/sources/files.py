"""Files below a folder of any file system that fsspec knows: kinds that are configuration of one class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from liftgate.errors import ConfigurationError, SourceError
from liftgate.sources.identity import Listed
from liftgate.sources.reading import FolderEntry, as_time, files_below, read_unchanged

Options = Callable[[], Mapping[str, Any]]
"""Gives the file system's options (a login, an address) when it is first used."""


class FileSystemReader:
    """Lists and reads the files below a folder: GCS, Azure, and whatever else fsspec has.

    Folders are listed one by one by `ls`, which raises what goes wrong. fsspec's `find` and `walk` leave out what
    they cannot read, so that it would look like removals, and hold the whole tree in memory.
    """

    def __init__(self, kind: str, protocol: str, root: str, options: Options, extra: str, groups_metadata: str = ""):
        self._kind = kind
        self._protocol = protocol
        self._given_root = root
        self._options = options
        self._extra = extra
        self._groups_metadata = groups_metadata
        self._opened: Any = None

    def list(self) -> Iterator[Listed]:
        """Every file, folder by folder."""
        return files_below(self._entries)

    def read(self, uri: str, version_hint: str) -> bytes:
        """The file's bytes, if it has the listed version before and after."""
        path = f"{self._root}/{uri}"
        return read_unchanged(
            uri, version_hint, lambda: _hint(self._files.info(path)), lambda: bytes(self._files.cat_file(path))
        )

    def _entries(self, folder: str) -> Iterator[FolderEntry]:
        path = f"{self._root}/{folder}" if folder else self._root
        for info in self._files.ls(path, detail=True):
            name = info["name"].rstrip("/").rpartition("/")[2]
            # A store lists a folder's own marker among what lies in it.
            if name and info["name"].strip("/") != path.strip("/"):
                groups = as_groups((info.get("metadata") or {}).get(self._groups_metadata))
                changed = as_time(_changed(info))
                hint = _hint(info) if info["type"] == "file" else ""
                yield FolderEntry(name, info["type"], hint, int(info["size"] or 0), changed, groups)

    @property
    def _root(self) -> str:
        return str(self._files._strip_protocol(self._given_root)).rstrip("/")

    @property
    def _files(self) -> Any:
        """The file system, made at first use, which remembers nothing that it listed."""
        if self._opened is None:
            import fsspec

            options = {"use_listings_cache": False, "skip_instance_cache": True, **self._options()}
            try:
                self._opened = fsspec.filesystem(self._protocol, **options)
            except (ImportError, ValueError) as error:
                raise ConfigurationError(
                    f"Expected a file system for sources of the kind {self._kind} ({self._protocol}), found {error}. "
                    f"Run: pip install {self._extra}"
                ) from error
        return self._opened


def as_groups(value: Any, separator: str = ",") -> tuple[str, ...] | None:
    """Groups out of a tag, a metadata value or a column. None where nothing is said, which is not the same as nobody.

    Example: "hr managers, board" -> ("board", "hr managers"); ["hr", None] -> ("hr",); "" -> (); None -> None
    """
    if value is None:
        return None
    parts = value.split(separator) if isinstance(value, str) else [str(one) for one in value if one is not None]
    return tuple(sorted({part.strip() for part in parts} - {""}))


def _hint(info: Mapping[str, Any]) -> str:
    """What tells versions apart without opening the file: the store's own tag, else time and size."""
    for tag in ("ETag", "etag", "generation", "md5Hash", "sha"):
        if info.get(tag):
            return str(info[tag]).strip('"')
    if not _changed(info):
        raise SourceError(
            f"Expected a tag or a time of {info['name']} from its file system, found neither: a change that keeps the "
            "size would not be seen. Write a kind of source of your own."
        )
    return f"{as_time(_changed(info)).isoformat()}-{info['size']}"


def _changed(info: Mapping[str, Any]) -> Any:
    names = ("mtime", "LastModified", "last_modified", "last_write_time", "updated", "modified", "created")
    return next((info[name] for name in names if info.get(name)), None)
