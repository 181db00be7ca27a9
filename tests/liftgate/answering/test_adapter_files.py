from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liftgate.answering.adapter_files import require_base
from liftgate.answering.base_model import base_hashes, base_hashes_as_loaded
from liftgate.errors import ArtifactCorrupt
from liftgate.local.models import SMOLLM2, model_folder

ROOT = Path(__file__).parents[3]
MODELS = str(ROOT / ".models")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with the tokenizer of the local model and weights that are only hashed."""
    folder = tmp_path / "base"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((model_folder(SMOLLM2, MODELS) / name).read_bytes())
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def trained_on(folder: Path) -> dict[str, Any]:
    """The manifest of an adapter that was trained on this base."""
    found = base_hashes(str(folder), "")
    tokenizer = {"sha256": found["tokenizer"], "chat_template_sha256": found["chat template"]}
    return {"base_model": {"revision": found["weights"]}, "tokenizer": tokenizer}


def test_base_that_is_as_it_was_is_taken(base: Path) -> None:
    require_base(trained_on(base), str(base), "")


@pytest.mark.slow
def test_changed_chat_template_or_tokenizer_is_refused_by_name(base: Path) -> None:
    manifest = trained_on(base)
    (base / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(ArtifactCorrupt, match="found chat template .{12} in place of .{12}\\. Restore"):
        require_base(manifest, str(base), "")
    content = json.loads((base / "tokenizer.json").read_text())
    content["normalizer"] = {"type": "Lowercase"}
    (base / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactCorrupt, match="found tokenizer .*, chat template "):
        require_base(manifest, str(base), "")


def test_chat_template_is_found_in_the_tokenizers_settings_too(base: Path) -> None:
    before = base_hashes(str(base), "")
    template = (base / "chat_template.jinja").read_text()
    (base / "chat_template.jinja").unlink()
    assert base_hashes(str(base), "")["chat template"] != before["chat template"]
    settings = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": template}))
    assert base_hashes(str(base), "") == before


@pytest.mark.slow
def test_hashes_are_those_that_the_trainer_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    monkeypatch.syspath_prepend(ROOT / "trainer_image")
    from trainer.base import tokenizer_hash

    loaded = AutoTokenizer.from_pretrained(model_folder(SMOLLM2, MODELS), local_files_only=True)
    assert base_hashes(SMOLLM2, MODELS)["tokenizer"] == tokenizer_hash(loaded)
    assert base_hashes_as_loaded(SMOLLM2, MODELS) == base_hashes(SMOLLM2, MODELS)
