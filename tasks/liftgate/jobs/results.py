"""What a job has written: its truth is the `manifest.json` that the trainer writes last, and the hashes in it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

MANIFEST = "manifest.json"


def verified_result(address: str) -> dict[str, Any] | None:
    """The manifest at this address if it is there and every file beside it has its hash, otherwise None.

    address: of `manifest.json`, a path or anything that fsspec knows.
    """
    import fsspec

    files, path = fsspec.core.url_to_fs(address)
    if not files.isfile(path):
        return None
    manifest: dict[str, Any] = json.loads(files.cat_file(path))
    folder = path.rpartition("/")[0]
    whole = all(
        files.isfile(f"{folder}/{name}") and _sha256(files, f"{folder}/{name}") == recorded["sha256"]
        for name, recorded in manifest["files"].items()
    )
    return manifest if whole else None


def _sha256(files: Any, path: str) -> str:
    with files.open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
