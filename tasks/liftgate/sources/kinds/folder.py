"""A folder that every worker can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from liftgate.config.paths import PathBeside
from liftgate.config.sources import DataSet, SourceBlock
from liftgate.errors import DocumentUnreadable
from liftgate.sources.connections import Connections
from liftgate.sources.identity import Listed
from liftgate.sources.reading import LINK, FolderEntry, as_time, files_below, read_unchanged, refuse_link


class Folder(SourceBlock):
    """A folder that every worker can read."""

    path: PathBeside
    """The folder, relative to this file."""

    def open(self, connections: Connections) -> FolderReader:
        """Its files."""
        return FolderReader(self.path)

    def data_set(self) -> DataSet:
        """The folder."""
        return DataSet("file", self.path)


class FolderReader:
    """Files of a folder. Links are followed as long as they stay in it and lead not back to where they are.

    A folder that was reached by a link has its own links to files followed, and none to folders: what links between
    n folders would list grows like n!, and each of them is listed at its own place in any case.
    """

    def __init__(self, path: str):
        self._root = Path(path).resolve()

    def list(self) -> Iterator[Listed]:
        """Every file, folder by folder."""
        return files_below(self._entries)

    def read(self, uri: str, version_hint: str) -> bytes:
        """The file's bytes, if it has the listed time and size before and after."""
        if "\\x" in uri and not (self._root / uri).exists():
            raise DocumentUnreadable(f"Expected a name in UTF-8, found {uri}, whose bytes are not. Rename the file.")
        return read_unchanged(uri, version_hint, lambda: _hint(self._inside(uri).stat()), lambda: self._read(uri))

    def _read(self, uri: str) -> bytes:
        with self._inside(uri).open("rb") as file:
            return file.read(os.fstat(file.fileno()).st_size + 1)

    def _inside(self, uri: str) -> Path:
        """The file itself; a link may have been bent since it was listed."""
        path = (self._root / uri).resolve(strict=True)
        if not path.is_relative_to(self._root) or not path.is_file():
            raise refuse_link(uri)
        return path

    def _entries(self, folder: str) -> Iterator[FolderEntry]:
        with os.scandir(self._root / folder) as entries:
            for entry in entries:
                yield self._entry(entry)

    def _entry(self, entry: os.DirEntry[str]) -> FolderEntry:
        # Names need not be text: what is none is listed with its bytes spelt out, and quarantined when it is read.
        name = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        kept = entry.stat(follow_symlinks=False)
        if entry.is_symlink() and not self._leads_on(entry):
            print(
                f"{entry.path} is a link that leads out of the source, nowhere, in a circle, or on from a linked "
                "folder: it is not followed."
            )
        elif entry.is_symlink():
            kept = entry.stat()
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "directory"}.get(stat.S_IFMT(kept.st_mode), LINK)
        if kind == "directory" and name != entry.name:
            print(f"Expected a name in UTF-8, found the folder {name}, whose bytes are not: nothing in it is listed.")
            kind = LINK
        return FolderEntry(name, kind, _hint(kept), kept.st_size, as_time(kept.st_mtime))

    def _leads_on(self, link: os.DirEntry[str]) -> bool:
        """Whether it leads into the source, to no folder that holds it, and not from a linked folder to the next."""
        try:
            target = Path(link.path).resolve(strict=True)
        except (OSError, RuntimeError):  # what is gone, or a circle
            return False
        if not target.is_relative_to(self._root):
            return False
        folder = Path(link.path).parent
        reached = folder.resolve()
        return not reached.is_relative_to(target) and (folder == reached or not target.is_dir())


def _hint(found: os.stat_result) -> str:
    return f"{found.st_mtime}-{found.st_size}"
