"""What a job has written: its truth is the `manifest.json` that the trainer writes last, and the hashes in it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from liftgate.errors import ArtifactCorrupt

if TYPE_CHECKING:
    from upath import UPath

MANIFEST = "manifest.json"


def verified_manifest(address: str) -> dict[str, Any]:
    """The trainer's manifest, once every file has its hash. It is written last: without it there is nothing.

    address: of the result, a folder or anything that fsspec knows.
    """
    from upath import UPath

    folder = UPath(address)
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactCorrupt(f"Expected a finished adapter in {folder}, found no {MANIFEST}. Clear train.")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, expected in manifest["files"].items():
        found = _sha256(folder / name)
        if found != expected["sha256"]:
            raise ArtifactCorrupt(
                f"Expected {name} of {folder} to have the hash {expected['sha256'][:12]}, found "
                f"{found[:12] if found else 'no such file'}. Restore the file, or train again."
            )
    return manifest


def is_whole(address: str) -> bool:
    """Whether a finished result lies there with all of its files."""
    try:
        verified_manifest(address)
    except ArtifactCorrupt:
        return False
    return True


def _sha256(path: UPath) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):  # a file of an object store is none that file_digest takes
            digest.update(block)
        return digest.hexdigest()
