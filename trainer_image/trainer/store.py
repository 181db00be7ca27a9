"""Files in an object store: what is given is brought to this machine, what is made is sent back.

An address with `://` in it is one of the store's (s3://bucket/key; fsspec reads it, the image holds the part for S3).
Anything else is a path, which is used as it stands. A store has no rename: whatever is complete only with its manifest
or marker is complete there too, since that one is sent last.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.failures import ExpectedFailure, StoreFailed


@dataclass(frozen=True)
class Place:
    """A folder on this machine and, for an address of a store, what it stands for there."""

    folder: Path
    address: str | None = None

    def fetch(self) -> None:
        """Brings everything that the store has here."""
        if self.address is not None:
            with _said(self.address):
                files, root = _opened(self.address)
                for found in files.find(root):
                    target = self.folder / found.removeprefix(root).lstrip("/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    files.get_file(found, str(target))

    def fetch_file(self, path: Path) -> None:
        """Brings one file below the folder here, if the store has it."""
        if self.address is not None:
            with _said(self.address):
                files, root = _opened(self.address)
                found = f"{root}/{path.relative_to(self.folder).as_posix()}"
                if files.exists(found):
                    files.get_file(found, str(path))

    def send(self, *paths: Path) -> None:
        """Copies files below the folder to the store, in this order."""
        if self.address is not None:
            with _said(self.address):
                files, root = _opened(self.address)
                for path in paths:
                    files.put_file(str(path), f"{root}/{path.relative_to(self.folder).as_posix()}")

    def remove(self, path: Path) -> None:
        """Removes what the store has of a file or folder, if it has anything."""
        if self.address is not None:
            with _said(self.address):
                files, root = _opened(self.address)
                gone = files.find(f"{root}/{path.relative_to(self.folder).as_posix()}")
                if gone:
                    files.rm(gone)


@contextmanager
def place(address: str) -> Iterator[Place]:
    """The folder that an address names; for one of a store, an empty folder that is removed at the end."""
    if "://" not in address:
        yield Place(Path(address))
        return
    with tempfile.TemporaryDirectory(prefix="trainer-") as scratch:
        yield Place(Path(scratch), address.rstrip("/"))


@contextmanager
def folder_at(address: str) -> Iterator[Path]:
    """The folder that an address names, brought here with all that is in it."""
    with place(address) as where:
        where.fetch()
        yield where.folder


@contextmanager
def file_at(address: str) -> Iterator[Path]:
    """The file that an address names, brought here."""
    with beside(address) as (where, path):
        where.fetch_file(path)
        if not path.is_file():
            raise ExpectedFailure(f"Expected a file at {address}, found none. Check the path and the volume or bucket.")
        yield path


@contextmanager
def beside(address: str) -> Iterator[tuple[Place, Path]]:
    """(place of the folder that a file is in, path of the file there)"""
    folder, _, name = address.rpartition("/")
    if "://" not in address:
        yield Place(Path(address).parent), Path(address)
        return
    with place(folder) as where:
        yield where, where.folder / name


def _opened(address: str) -> tuple[Any, str]:
    """(file system, the address as it knows it)"""
    import fsspec

    # Listings are kept by default, and would hide what another process has written since.
    files, root = fsspec.core.url_to_fs(address, use_listings_cache=False)
    return files, root.rstrip("/")


@contextmanager
def _said(address: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each store's client has errors of its own, which have no narrower class in common
        for_good = isinstance(error, (FileNotFoundError, PermissionError, ImportError, ValueError))
        kind = ExpectedFailure if for_good else StoreFailed
        raise kind(
            f"Expected to read and write {address}, found that it cannot be done ({error or type(error).__name__}). "
            "Check the bucket, the credentials and the endpoint; another store than S3 needs its fsspec package in "
            "the image."
        ) from error
