"""The rendered PyTorchJob: its text, its name, and what changes its hash."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from liftgate.errors import JobRefused
from liftgate.jobs.identity import MAX_NAME, identified, job_name, spec_hash
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Origin, Resources, Volume

EXPECTED = Path(__file__).with_name("pytorchjob.expected.yaml")
ORIGIN = Origin("adapter_handbook", "manual__1", "train")
SEED = JobSpec(
    slug="adapter_handbook",
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
    rendered = yaml.safe_dump(identified(render(SEED), ORIGIN, 1), sort_keys=True)
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


def name(spec: JobSpec = SEED, origin: Origin = ORIGIN, attempt: int = 1) -> str:
    return job_name(render(spec), origin, attempt)


def test_the_name_is_the_same_on_every_try_and_differs_between_tasks_and_attempts() -> None:
    assert name() == name(replace(SEED, dataset_version="other", release=9))
    assert name(origin=Origin("adapter_handbook", "manual__2", "train")) != name()
    assert name(attempt=2) == name().removesuffix("-a1") + "-a2"


@pytest.mark.parametrize("slug", ["x" * 80, "7th adapter", "Äpfel__und-Birnen", "", "a-" * 40])
def test_any_slug_gives_a_legal_name(slug: str) -> None:
    made = name(replace(SEED, slug=slug))
    assert len(made) <= MAX_NAME
    assert made[0].isalpha()
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert "--" not in made


@pytest.mark.parametrize(
    "change",
    [{"args": ("--epochs", "3")}, {"image": "other"}, {"env": {"A": "1"}}, {"retries": 0}, {"pod": {"nodeName": "n"}}],
)
def test_what_the_job_computes_changes_its_hash(change: dict) -> None:
    assert spec_hash(render(replace(SEED, **change))) != spec_hash(render(SEED))


def test_notes_for_people_do_not_change_the_hash() -> None:
    noted = replace(SEED, release=8, dataset_version="x", labels={"team": "search"})
    assert spec_hash(render(noted)) == spec_hash(render(SEED))


def test_every_pod_is_told_which_attempt_it_is() -> None:
    made = identified(render(replace(SEED, nodes=2)), ORIGIN, 3)
    for replica in made["spec"]["pytorchReplicaSpecs"].values():
        (told,) = [one for one in replica["template"]["spec"]["containers"][0]["env"] if one["name"] == "LIFTGATE_JOB"]
        assert told["value"] == f"llm/{made['metadata']['name']}"
        assert replica["template"]["metadata"]["annotations"]["liftgate.dev/spec-hash"] == spec_hash(
            render(replace(SEED, nodes=2))
        )


def test_what_a_team_adds_to_the_pod_is_in_every_replica() -> None:
    made = render(replace(SEED, nodes=2, env_secret="store-keys", pod={"nodeSelector": {"gpu": "a100"}}))
    for replica in made["spec"]["pytorchReplicaSpecs"].values():
        pod = replica["template"]["spec"]
        assert pod["nodeSelector"] == {"gpu": "a100"}
        assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "store-keys"}}]


def test_a_job_of_no_nodes_is_refused() -> None:
    with pytest.raises(JobRefused, match="at least one node"):
        render(replace(SEED, nodes=0))
