from __future__ import annotations

from typing import Any

import pytest
from trained_adapter import adapter_run, registered, stored_tuning_set, trained

from liftgate.training.adapters import register_adapter


@pytest.fixture
def shown(judged: Any, liftgate: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `liftgate adapters` on the database of the judged knowledge base."""
    monkeypatch.setenv("LIFTGATE_DATABASE_URL", judged.runtime.database.url)
    return lambda *arguments: liftgate("adapters", *arguments)


def test_every_adapter_is_listed_with_what_it_came_from(judged: Any, shown: Any) -> None:
    _, _, candidate = registered(judged)
    listed = shown("list", "small")
    assert listed.exit_code == 0, listed.output
    for part in (judged.release(candidate).makeup.adapter.digest, "tuning-set-1", "release 1", "1.25", "none"):
        assert part in listed.stdout


def test_one_adapter_is_shown_whole(judged: Any, shown: Any) -> None:
    run = adapter_run(judged, file={"dataset_revision": "dvc:9c1"})
    candidate = register_adapter(judged.runtime, run, stored_tuning_set(judged), trained(judged), job_uid="uid-7")
    adapter = judged.release(candidate).makeup.adapter
    text = shown("show", "small", adapter.digest[:6]).stdout
    for part in (adapter.digest, "dvc:9c1", "llm/adapter-small", "uid-7", "release 1", adapter.uri, run.run_id):
        assert part in text
    assert "3.5 to 1.25 in 2 steps" in text
    assert "adapter_model.safetensors" in text


def test_what_no_adapter_or_several_begin_with_is_an_error(judged: Any, shown: Any) -> None:
    registered(judged)
    run, digest = adapter_run(judged), stored_tuning_set(judged, "tuning-set-2")
    register_adapter(judged.runtime, run, digest, trained(judged, "two", digest))
    none, several = shown("show", "small", "nothing"), shown("show", "small", "")
    assert (none.exit_code, several.exit_code) == (1, 1)
    assert "Expected an adapter of small that begins with nothing, found none" in none.output
    assert "Give more of the digest" in several.output
