"""What can be known of a base model without loading it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from liftgate.chunking.tokens import FileTokenizer
from liftgate.local.models import model_folder


@lru_cache(maxsize=4)
def base_revision(model: str, models_dir: str) -> str:
    """What names the weights of a local model, the same as the trainer writes into an adapter's manifest.

    SHA-256 over the lines `name hash` of the folder's weight files.
    """
    total = hashlib.sha256()
    for path in sorted(model_folder(model, models_dir).glob("*.safetensors")):
        total.update(f"{path.name} {_hash_of_file(path)}\n".encode())
    return total.hexdigest()


@lru_cache(maxsize=4)
def base_tokenizer(model: str, models_dir: str) -> FileTokenizer:
    """The tokenizer by which a prompt for this model is counted."""
    return FileTokenizer(model, model_folder(model, models_dir) / "tokenizer.json")


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
