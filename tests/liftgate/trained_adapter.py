"""Adapters as the trainer leaves them, without any training."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from liftgate.answering.base_model import base_hashes
from liftgate.database import queries
from liftgate.evaluation.questions import Question
from liftgate.retrieval import Found
from liftgate.runs import Allowances, Run, Scope, freeze_configuration
from liftgate.training.adapters import register_adapter

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
TUNING_SET = "tuning-set-1"
_base_hashes = cache(base_hashes)


def adapter_run(judged: Any, forced: bool = False, file: dict[str, Any] | None = None, **training: Any) -> Run:
    """A run about an adapter. Its examples are not read here: tuning sets are only named."""
    folder = judged.folder / "adapters"
    folder.mkdir(exist_ok=True)
    (judged.folder / "examples.jsonl").touch()
    name = judged.name
    files = {"knowledge_base": f"../knowledge_bases/{name}.yaml", "examples": "../examples.jsonl"}
    given = {"open_groups": ["staff"], "base_model": BASE, **training}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **files, **(file or {}), "training": given}))
    judged.runs += 1
    run_id = f"adapter_{name}:run-{judged.runs}"
    return freeze_configuration(judged.runtime, path, run_id, Scope(forced=forced), Allowances())


def trained(judged: Any, name: str = "one", tuning_set: str = TUNING_SET, **changes: Any) -> str:
    """A folder as the trainer leaves it: files, and last a manifest with their hashes."""
    folder: Path = judged.folder / "trained" / name
    folder.mkdir(parents=True)
    files = {"adapter_model.safetensors": f"weights of {name}".encode(), "adapter_config.json": b"{}"}
    for file, content in files.items():
        (folder / file).write_bytes(content)
    hashes = {file: {"sha256": hashlib.sha256(content).hexdigest()} for file, content in files.items()}
    base = _base_hashes(BASE, judged.runtime.settings.models_dir)
    manifest = {
        "files": hashes,
        "base_model": {"revision": base["weights"]},
        "tokenizer": {"sha256": base["tokenizer"], "chat_template_sha256": base["chat template"]},
        "data": {"sha256": tuning_set},
        "settings": {"epochs": 2, "lr": 0.001},
        "seed": 7,
        "job": "llm/adapter-small",
        "metrics": {"steps": 2, "tokens": 900, "tokens_per_second": 120.5, "loss": [3.5, 1.25], "last_loss": 1.25},
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return str(folder)


def stored_tuning_set(judged: Any, digest: str = TUNING_SET) -> str:
    """A tuning set that passed its suite."""
    with judged.runtime.database.transaction() as connection:
        empty = {"uri": "", "counts": '{"release": 1}', "lineage": "{}", "dataset_revision": None, "run_id": "test"}
        queries().store_tuning_set(connection, digest=digest, kb=judged.name, **empty)
        queries().store_validation(connection, kb=judged.name, subject=digest, passed=True, report="{}", run_id="test")
    return digest


def registered(judged: Any) -> tuple[Run, str, int]:
    """A run that registered an adapter, its tuning set, and the candidate."""
    run, digest = adapter_run(judged), stored_tuning_set(judged)
    return run, digest, register_adapter(judged.runtime, run, digest, trained(judged))


def better(side: str, question: Question, found: Found) -> str:
    """Answers that keep the schema with the adapter, and say the same as plain text without it."""
    best = found.chunks[0]
    if side != "candidate":
        return f"{best.text} [doc:{best.doc_id}]"
    answer = {"summary": best.text, "risk": "none", "next_steps": [], "citations": [f"doc:{best.doc_id}"]}
    return json.dumps(answer)
