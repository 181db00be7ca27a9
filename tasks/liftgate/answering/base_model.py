"""What can be known of a base model without loading it."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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


def base_hashes(model: str, models_dir: str) -> dict[str, str]:
    """Hashes of weights, tokenizer and chat template, as an adapter's manifest has them, read without transformers."""
    from tokenizers import Tokenizer

    folder = model_folder(model, models_dir)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return _hashes(base_revision(model, models_dir), tokenizer.to_str(), _chat_template(folder))


def base_hashes_as_loaded(model: str, models_dir: str) -> dict[str, str] | None:
    """The same as transformers loads the tokenizer, which costs seconds; None where transformers is not installed."""
    if find_spec("transformers") is None:
        return None
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(model_folder(model, models_dir), local_files_only=True)
    return _hashes(base_revision(model, models_dir), loaded.backend_tokenizer.to_str(), loaded.chat_template)


def _hashes(revision: str, tokenizer: str, chat_template: Any) -> dict[str, str]:
    texts = {"tokenizer": tokenizer, "chat template": str(chat_template)}
    return {"weights": revision, **{name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}}


def _chat_template(folder: Path) -> str | None:
    """The template in its own file, where newer versions of transformers write it, or in the tokenizer's settings."""
    own, settings = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    template: str | None = json.loads(settings.read_text(encoding="utf-8")).get("chat_template")
    return template


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
