from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from canaries import HALF, ended, started
from trained_adapter import BASE, adapter_run, better, registered, stored_tuning_set, trained

from liftgate.answering import Request
from liftgate.errors import ArtifactCorrupt, PromotionRefused
from liftgate.jobs.results import verified_manifest
from liftgate.releases.rollback import resume, roll_back
from liftgate.training.adapters import adapters, register_adapter, tuning_set_of
from liftgate.training.due import stop_if_nothing_to_do
from liftgate.training.train import train

CALL = {"name": "open_desk", "arguments": {"desk": "front", "minutes": 30}}


def of(judged: Any) -> list[dict[str, Any]]:
    """What the registry knows."""
    with judged.runtime.database.transaction() as connection:
        return adapters(connection, judged.name)


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
        register_adapter(judged.runtime, adapter_run(judged), stored_tuning_set(judged), str(folder))
    assert (judged.count("adapters"), judged.count("releases")) == (0, 1)


def test_adapter_without_a_manifest_or_with_a_file_missing_is_not_finished(judged: Any) -> None:
    folder = Path(trained(judged))
    (folder / "adapter_config.json").unlink()
    with pytest.raises(ArtifactCorrupt, match="found no such file"):
        verified_manifest(str(folder))
    (folder / "manifest.json").unlink()
    with pytest.raises(ArtifactCorrupt, match="found no manifest.json"):
        verified_manifest(str(folder))


def test_registry_says_what_an_adapter_came_from(judged: Any) -> None:
    run, digest = adapter_run(judged, file={"dataset_revision": "lakefs:4f2a"}), stored_tuning_set(judged)
    register_adapter(judged.runtime, run, digest, trained(judged), job_uid="uid-7")
    (row,) = of(judged)
    live, manifest = judged.release(1).makeup, row["manifest"]
    assert (row["name"], row["tuning_set"], row["release"], row["prompt"]) == ("small", digest, 1, live.prompt.version)
    assert row["base"] == f"{BASE}@{row['base_revision']}"
    assert (row["tokenizer_sha256"], row["chat_template_sha256"]) == tuple(manifest["tokenizer"].values())
    assert (row["job"], row["job_uid"], row["dataset_revision"]) == ("llm/adapter-small", "uid-7", "lakefs:4f2a")
    assert (manifest["metrics"]["last_loss"], row["verdict"], row["live"]) == (1.25, None, False)
    assert set(manifest["files"]) == {"adapter_model.safetensors", "adapter_config.json"}


def test_registry_follows_the_verdict_and_what_is_live(judged: Any) -> None:
    run, _, candidate = registered(judged)
    judged.compare_answers(run, candidate, better)
    assert (of(judged)[0]["verdict"], of(judged)[0]["live"]) == ("promote", False)
    judged.end(run, candidate)
    assert (of(judged)[0]["judged_as"], of(judged)[0]["live"]) == (candidate, True)


def test_note_about_the_examples_is_part_of_no_hash(judged: Any) -> None:
    _, digest, candidate = registered(judged)
    noted = adapter_run(judged, file={"dataset_revision": "another commit"})
    assert not judged.release(candidate).outcome
    assert train(judged.runtime, noted, digest) == judged.release(candidate).makeup.adapter.uri
    assert register_adapter(judged.runtime, noted, digest, judged.release(candidate).makeup.adapter.uri) == candidate


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"base_model": {"revision": "0" * 64}}, "weights [0-9a-f]{12} in place of 000000000000"),
        ({"tokenizer": {"sha256": "0" * 64, "chat_template_sha256": "1" * 64}}, "tokenizer .*, chat template"),
        ({"data": {"sha256": "another-set"}}, "tuning set tuning-set-1, found that it read another-set"),
    ],
    ids=["base", "tokenizer", "tuning set"],
)
@pytest.mark.slow
def test_adapter_that_was_made_from_something_else_is_not_registered(judged: Any, changes: Any, named: str) -> None:
    folder = trained(judged, **changes)
    with pytest.raises(ArtifactCorrupt, match=named):
        register_adapter(judged.runtime, adapter_run(judged), stored_tuning_set(judged), folder)
    assert (judged.count("adapters"), judged.count("releases")) == (0, 1)


def test_nothing_is_answered_with_other_files_than_were_registered(judged: Any) -> None:
    """Another adapter in the same folder is whole by itself: only the registered digest tells."""
    _, _, candidate = registered(judged)
    makeup = judged.release(candidate).makeup
    other = Path(trained(judged, "two"))
    for file in other.iterdir():
        (Path(makeup.adapter.uri) / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ArtifactCorrupt, match="Expected the files of adapter"):
        list(judged.runtime.generator(makeup).answers([Request("a", [{"role": "user", "content": "Hello?"}])]))


def test_adapter_that_nobody_registered_has_no_stored_tuning_set(judged: Any) -> None:
    with pytest.raises(ArtifactCorrupt, match="to be registered"):
        tuning_set_of(judged.runtime, "unknown")


def test_adapter_needs_a_live_release_to_improve(small: Any) -> None:
    run, digest = adapter_run(small), stored_tuning_set(small)
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
    digest = stored_tuning_set(judged, "tuning-set-2")
    second = register_adapter(judged.runtime, adapter_run(judged), digest, trained(judged, "two", digest))
    assert judged.compare_answers(run, second, lambda side, *asked: empty) == "reject"
    checks = judged.query("SELECT verdict -> 'checks' AS c FROM verdicts ORDER BY n DESC LIMIT 1")[0]["c"]
    outcomes = {check["name"]: check["outcome"] for check in checks}
    assert outcomes["kpi schema_valid"] == outcomes["guard answer_match against baseline"] == "pass"
    assert {name for name, outcome in outcomes.items() if outcome == "fail"} == {
        f"guard {metric} against live" for metric in ("answer_match", "citation_correct", "groundedness")
    }


@pytest.mark.parametrize(
    ("wanted", "said", "guard", "kpi"),
    [
        ({"call": CALL}, json.dumps(CALL), "tool_name", "tool_arguments"),
        ({"label": "opening_hours"}, "opening_hours", "refusal_correct", "label_match"),
    ],
    ids=["call", "label"],
)
def test_adapter_that_learns_calls_or_labels_is_judged_by_their_metrics(
    judged: Any, wanted: dict[str, Any], said: str, guard: str, kpi: str
) -> None:
    judged.questions = [
        {**one, "must_contain": [], **wanted} if one["id"][0] == "q" else one for one in judged.questions
    ]
    judged.write_questions()
    run = adapter_run(judged, file={"gate": {"kpi": kpi, "guards": [{"metric": guard}]}})
    candidate = register_adapter(judged.runtime, run, stored_tuning_set(judged), trained(judged))
    said_by = {"candidate": said, "baseline": "Perhaps."}
    assert judged.compare_answers(run, candidate, lambda side, *_: said_by[side]) == "promote"
    assert judged.query("SELECT DISTINCT metric FROM evidence WHERE metric = 'answer_match'") == []
    verdict = judged.query("SELECT verdict FROM verdicts ORDER BY n DESC LIMIT 1")[0]["verdict"]
    assert [check["candidate"] for check in verdict["checks"] if check["name"] == f"kpi {kpi}"] == [1.0]
    assert ("candidate: macro-F1 of labels 1.000" in verdict["notes"]) == ("label" in wanted)


def test_run_goes_on_until_the_newest_adapter_is_judged_and_that_is_carried_out(judged: Any) -> None:
    digest = stored_tuning_set(judged)
    assert goes_on(judged, digest)
    run, _, candidate = registered(judged)
    assert goes_on(judged, digest)
    judged.compare_answers(run, candidate, better)
    assert goes_on(judged, digest)
    judged.end(run, candidate)
    assert not goes_on(judged, digest)


def test_run_goes_on_with_an_adapter_that_a_hold_kept_back_when_that_is_lifted(judged: Any) -> None:
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    judged.whole_run()
    roll_back(judged.runtime, "small", 1, kind="drill", why="test", by="test", run_id="back")
    run, digest, candidate = registered(judged)
    judged.compare_answers(run, candidate, better)
    assert judged.end(run, candidate) == "hold"
    assert not goes_on(judged, digest)
    resume(judged.runtime, "small", by="test", run_id="resume")
    assert goes_on(judged, digest)
    assert judged.end(run, candidate) == "promote"
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
    judged.end(run, candidate)
    assert goes_on(judged, "tuning-set-2")
    assert goes_on(judged, digest, seed=8)
    assert not goes_on(judged, "tuning-set-2", min_hours_between_trainings=1)
    assert not goes_on(judged, digest, retries=3)


def test_a_training_that_is_not_due_is_not_made_although_its_adapter_is_still_to_be_judged(judged: Any) -> None:
    """Not even with other examples: the adapter that is there is judged, as one of its own tuning set and base."""
    _, digest, candidate = registered(judged)
    made = judged.release(candidate).makeup.adapter
    later, other = adapter_run(judged, min_hours_between_trainings=1), stored_tuning_set(judged, "tuning-set-2")
    assert stop_if_nothing_to_do(judged.runtime, later, other)
    assert train(judged.runtime, later, other) == made.uri
    assert register_adapter(judged.runtime, later, other, made.uri) == candidate
    assert tuning_set_of(judged.runtime, made.digest) == digest


def test_nothing_new_is_trained_while_readers_try_the_adapter_of_the_same_file(judged: Any) -> None:
    run, candidate = started(judged)
    made, other = judged.release(candidate).makeup.adapter, stored_tuning_set(judged, "tuning-set-2")
    with_canary = {"file": {"canary": HALF}}
    assert not stop_if_nothing_to_do(judged.runtime, adapter_run(judged, **with_canary), other)
    assert train(judged.runtime, adapter_run(judged, **with_canary), other) == made.uri
    ended(judged, candidate)
    assert stop_if_nothing_to_do(judged.runtime, adapter_run(judged, **with_canary), other)


def test_an_adapter_whose_canary_the_configuration_gave_up_goes_on(judged: Any) -> None:
    started(judged)
    assert stop_if_nothing_to_do(judged.runtime, adapter_run(judged), "set-one")


def test_forced_run_goes_on(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    judged.compare_answers(run, candidate, better)
    assert goes_on(judged, digest, forced=True)


def test_training_that_is_not_due_returns_the_stored_adapter(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    assert train(judged.runtime, run, digest) == judged.release(candidate).makeup.adapter.uri
