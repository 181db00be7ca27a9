from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from liftgate.answering.base_model import base_revision
from liftgate.database import queries
from liftgate.errors import ArtifactCorrupt, PromotionRefused
from liftgate.evaluation.questions import Question
from liftgate.retrieval import Found
from liftgate.runs import Allowances, Run, Scope, freeze_configuration
from liftgate.training.adapters import register_adapter, tuning_set_of, verified_manifest
from liftgate.training.due import stop_if_nothing_to_do
from liftgate.training.train import train

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


def adapter_run(judged: Any, forced: bool = False, **training: Any) -> Run:
    """A run about an adapter. Its examples are not read here: tuning sets are only named."""
    folder = judged.folder / "adapters"
    folder.mkdir(exist_ok=True)
    (judged.folder / "examples.jsonl").touch()
    files = {"knowledge_base": "../knowledge_bases/small.yaml", "examples": "../examples.jsonl"}
    given = {"open_groups": ["staff"], "base_model": BASE, **training}
    (folder / "small.yaml").write_text(yaml.safe_dump({"name": "small", **files, "training": given}))
    judged.runs += 1
    run_id = f"adapter_small:run-{judged.runs}"
    return freeze_configuration(judged.runtime, folder / "small.yaml", run_id, Scope(forced=forced), Allowances())


def trained(judged: Any, name: str = "one", revision: str | None = None) -> str:
    """A folder as the trainer leaves it: files, and last a manifest with their hashes."""
    folder: Path = judged.folder / "trained" / name
    folder.mkdir(parents=True)
    files = {"adapter_model.safetensors": f"weights of {name}".encode(), "adapter_config.json": b"{}"}
    for file, data in files.items():
        (folder / file).write_bytes(data)
    revision = revision or base_revision(BASE, judged.runtime.settings.models_dir)
    hashes = {file: {"sha256": hashlib.sha256(data).hexdigest()} for file, data in files.items()}
    manifest = {"files": hashes, "base_model": {"revision": revision}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return str(folder)


def tuning_set(judged: Any, digest: str = "tuning-set-1") -> str:
    """A tuning set that passed its suite."""
    with judged.runtime.database.transaction() as connection:
        empty = {"uri": "", "counts": "{}", "lineage": "{}", "run_id": "test"}
        queries().store_tuning_set(connection, digest=digest, kb="small", **empty)
        queries().store_validation(connection, kb="small", subject=digest, passed=True, report="{}", run_id="test")
    return digest


def registered(judged: Any) -> tuple[Run, str, int]:
    """A run that registered an adapter, its tuning set, and the candidate."""
    run, digest = adapter_run(judged), tuning_set(judged)
    return run, digest, register_adapter(judged.runtime, run, digest, trained(judged))


def better(side: str, question: Question, found: Found) -> str:
    """Answers that keep the schema with the adapter, and say the same as plain text without it."""
    best = found.chunks[0]
    if side != "candidate":
        return f"{best.text} [doc:{best.doc_id}]"
    answer = {"summary": best.text, "risk": "none", "next_steps": [], "citations": [f"doc:{best.doc_id}"]}
    return json.dumps(answer)


def goes_on(judged: Any, digest: str, **changes: Any) -> bool:
    return stop_if_nothing_to_do(judged.runtime, adapter_run(judged, **changes), digest)


def test_adapter_is_registered_under_the_hash_of_its_files_and_proposed_on_what_is_live(judged: Any) -> None:
    _, digest, candidate = registered(judged)
    made, live = judged.release(candidate), judged.release(1).makeup
    assert (made.component, made.parent) == ("adapter", 1)
    assert (made.makeup.retrieval, made.makeup.prompt) == (live.retrieval, live.prompt)
    assert made.makeup.adapter
    assert tuning_set_of(judged.runtime, made.makeup.adapter.digest) == digest


def test_registering_again_changes_nothing(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    folder = judged.release(candidate).makeup.adapter.uri
    assert register_adapter(judged.runtime, run, digest, folder) == candidate
    assert (judged.count("adapters"), judged.count("releases")) == (1, 2)


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
def test_adapter_with_a_changed_byte_is_not_registered(judged: Any, file: str) -> None:
    folder = Path(trained(judged))
    (folder / file).write_bytes((folder / file).read_bytes() + b" ")
    with pytest.raises(ArtifactCorrupt, match=file):
        register_adapter(judged.runtime, adapter_run(judged), tuning_set(judged), str(folder))
    assert (judged.count("adapters"), judged.count("releases")) == (0, 1)


def test_adapter_without_a_manifest_or_with_a_file_missing_is_not_finished(judged: Any) -> None:
    folder = Path(trained(judged))
    (folder / "adapter_config.json").unlink()
    with pytest.raises(ArtifactCorrupt, match="found no such file"):
        verified_manifest(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(ArtifactCorrupt, match="found no manifest.json"):
        verified_manifest(folder)


def test_adapter_that_nobody_registered_has_no_tuning_set(judged: Any) -> None:
    with pytest.raises(ArtifactCorrupt, match="to be registered"):
        tuning_set_of(judged.runtime, "unknown")


def test_adapter_needs_a_live_release_to_improve(small: Any) -> None:
    run, digest = adapter_run(small), tuning_set(small)
    with pytest.raises(PromotionRefused, match="live release"):
        register_adapter(small.runtime, run, digest, trained(small))


def test_adapter_that_is_better_than_prompt_only_answers_goes_live(judged: Any) -> None:
    run, _, candidate = registered(judged)
    assert judged.compare_answers(run, candidate, better) == "promote"
    assert judged.end(run, candidate) == "promote"
    assert judged.live() == candidate


def test_newer_adapter_must_hold_what_the_live_adapter_shows_too(judged: Any) -> None:
    """Better than prompt-only answers, which are of no use here, is not enough."""
    empty = json.dumps({"summary": "Nothing.", "risk": "none", "next_steps": [], "citations": []})
    run, _, first = registered(judged)
    judged.compare_answers(run, first, lambda side, *asked: better(side, *asked) if side == "candidate" else "Nothing.")
    assert judged.end(run, first) == "promote"
    digest = tuning_set(judged, "tuning-set-2")
    second = register_adapter(judged.runtime, adapter_run(judged), digest, trained(judged, "two"))
    assert judged.compare_answers(run, second, lambda side, *asked: empty) == "reject"
    checks = judged.query("SELECT verdict -> 'checks' AS c FROM verdicts ORDER BY n DESC LIMIT 1")[0]["c"]
    outcomes = {check["name"]: check["outcome"] for check in checks}
    assert outcomes["kpi schema_valid"] == outcomes["guard answer_match against baseline"] == "pass"
    assert {name for name, outcome in outcomes.items() if outcome == "fail"} == {
        f"guard {metric} against live" for metric in ("answer_match", "citation_correct", "groundedness")
    }


def test_run_goes_on_until_the_newest_adapter_is_judged(judged: Any) -> None:
    digest = tuning_set(judged)
    assert goes_on(judged, digest)
    run, _, candidate = registered(judged)
    assert goes_on(judged, digest)
    judged.compare_answers(run, candidate, better)
    assert not goes_on(judged, digest)
    judged.end(run, candidate)
    assert not goes_on(judged, digest)


def test_run_goes_on_when_evidence_was_added(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    judged.compare_answers(run, candidate, lambda *_: "I do not know.")
    assert not goes_on(judged, digest)
    judged.ask_more()
    assert goes_on(judged, digest)


def test_changed_tuning_set_or_settings_make_a_training_due_unless_one_was_a_short_time_ago(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    judged.compare_answers(run, candidate, better)
    assert goes_on(judged, "tuning-set-2")
    assert goes_on(judged, digest, seed=8)
    assert not goes_on(judged, "tuning-set-2", min_hours_between_trainings=1)
    assert not goes_on(judged, digest, retries=3)


def test_forced_run_goes_on(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    judged.compare_answers(run, candidate, better)
    assert goes_on(judged, digest, forced=True)


def test_training_that_is_not_due_returns_the_stored_adapter(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    assert train(judged.runtime, run, digest) == judged.release(candidate).makeup.adapter.uri
