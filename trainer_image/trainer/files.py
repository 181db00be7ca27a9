"""Files that are whole or not there, and their hashes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from trainer.failures import ExpectedFailure

MANIFEST = "manifest.json"


def sha256_of_text(text: str) -> str:
    """Hash of a text as UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hash of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Makes a file's bytes, or the entries of a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """The file holds the old text or the new one, never a part."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text, encoding="utf-8")
    sync(scratch)
    os.replace(scratch, path)
    sync(path.parent)


def describe(folder: Path) -> dict[str, dict[str, Any]]:
    """{name: {"sha256": ..., "bytes": ...}} of the files of a folder, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name: {"sha256": sha256_of_file(path), "bytes": path.stat().st_size} for path in files}


def digest_of(files: dict[str, dict[str, Any]]) -> str:
    """Names an adapter by the hashes of its files, as the register of adapters does."""
    return sha256_of_text(json.dumps(files, sort_keys=True, separators=(",", ":")))[:16]


def move_in(scratch: Path, target: Path, manifest: dict[str, Any]) -> None:
    """Moves the files of scratch into target and writes target/manifest.json last.

    Whoever reads target looks for the manifest first: without it there is nothing, whatever files lie there.
    The folder itself is not renamed, since it may be the mount point of a volume.
    """
    for path in scratch.iterdir():
        path.chmod(0o644)  # whoever serves the adapter from the volume is another user
        sync(path)
        os.replace(path, target / path.name)
    scratch.rmdir()
    sync(target)
    write_atomically(target / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a finished adapter, or None where there is none."""
    path = folder / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def verified_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an adapter, after every file was compared with the hash that it records."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise ExpectedFailure(f"Expected an adapter in {folder}, found no {MANIFEST}: its training did not end.")
    for name, recorded in (manifest["files"] | manifest.get("records", {})).items():
        path = folder / name
        if not path.is_file() or sha256_of_file(path) != recorded["sha256"]:
            raise ExpectedFailure(
                f"Expected {path} to have the hash that {MANIFEST} records, found "
                f"{'another one' if path.is_file() else 'no file'}. Train again, or restore the file."
            )
    return manifest
