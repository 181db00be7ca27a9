"""The rendered PyTorchJob: its text, its name, and what changes its hash."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from liftgate.errors import JobRefused
from liftgate.training.backend import Origin, Resources, TrainingSpec, Volume
from liftgate.training.pytorchjob import MAX_NAME, job_name, render, spec_hash

EXPECTED = Path(__file__).with_name("pytorchjob.expected.yaml")
SEED = TrainingSpec(
    slug="adapter_handbook",
    origin=Origin("adapter_handbook", "manual__1", "train"),
    image="liftgate-trainer:0.1.0",
    args=(
        *("--base_model", "google/gemma-2-2b-it", "--train_jsonl", "/data/train.jsonl"),
        *("--output_dir", "/artifacts/lora", "--epochs", "2", "--lr", "2e-4"),
    ),
    resources=Resources(cpus=4, memory="16Gi", gpus=1),
    volumes=(Volume("llm-train-data-pvc", "/data"), Volume("llm-artifacts-pvc", "/artifacts")),
    retries=1,
    deadline_seconds=3600,
    labels={"app.kubernetes.io/part-of": "liftgate"},
    dataset_version="5f1c",
    release=2,
)


def test_the_seeds_job_renders_as_expected(rebuild_expected: bool) -> None:
    rendered = yaml.safe_dump(render(SEED), sort_keys=True)
    if rebuild_expected:
        EXPECTED.write_text(rendered, encoding="utf-8")
    assert rendered == EXPECTED.read_text(encoding="utf-8"), "pytest --rebuild-expected, if this is meant"


def test_the_container_has_the_only_name_that_the_operator_accepts() -> None:
    replicas = render(replace(SEED, nodes=3))["spec"]["pytorchReplicaSpecs"]
    names = {one["name"] for spec in replicas.values() for one in spec["template"]["spec"]["containers"]}
    assert names == {"pytorch"}
    assert {kind: spec["replicas"] for kind, spec in replicas.items()} == {"Master": 1, "Worker": 2}


def test_a_job_without_retries_never_restarts_and_one_with_retries_is_bounded() -> None:
    never = render(replace(SEED, retries=0))["spec"]
    assert never["pytorchReplicaSpecs"]["Master"]["restartPolicy"] == "Never"
    twice = render(replace(SEED, retries=2))["spec"]
    assert twice["pytorchReplicaSpecs"]["Master"]["restartPolicy"] == "OnFailure"
    assert twice["runPolicy"]["backoffLimit"] == 3  # N tolerates N-1 restarts


def test_the_name_is_the_same_on_every_try_and_differs_between_tasks_and_attempts() -> None:
    assert job_name(SEED) == job_name(replace(SEED, dataset_version="other", release=9))
    other_run = replace(SEED, origin=Origin("adapter_handbook", "manual__2", "train"))
    assert job_name(other_run) != job_name(SEED)
    assert job_name(replace(SEED, attempt=2)) == job_name(SEED).removesuffix("-a1") + "-a2"


@pytest.mark.parametrize("slug", ["x" * 80, "7th adapter", "Äpfel__und-Birnen", "", "a-" * 40])
def test_any_slug_gives_a_legal_name(slug: str) -> None:
    name = job_name(replace(SEED, slug=slug))
    assert len(name) <= MAX_NAME
    assert name[0].isalpha()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert "--" not in name


@pytest.mark.parametrize(
    "change", [{"args": ("--epochs", "3")}, {"image": "other"}, {"env": {"A": "1"}}, {"retries": 0}]
)
def test_what_the_job_computes_changes_its_hash(change: dict) -> None:
    assert spec_hash(replace(SEED, **change)) != spec_hash(SEED)


def test_who_wants_the_job_does_not_change_its_hash() -> None:
    moved = replace(SEED, origin=Origin("other", "run", "task"), attempt=5, release=8, dataset_version="x")
    assert spec_hash(moved) == spec_hash(SEED)


def test_a_job_of_no_nodes_is_refused() -> None:
    with pytest.raises(JobRefused, match="at least one node"):
        render(replace(SEED, nodes=0))
