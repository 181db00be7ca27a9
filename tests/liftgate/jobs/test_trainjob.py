"""TrainJobs: their text against the schema that Trainer publishes, what is refused, and what their status means."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubeflow_trainer_api.models.trainer_v1alpha1_train_job import TrainerV1alpha1TrainJob
from kubeflow_trainer_api.models.trainer_v1alpha1_train_job_status import TrainerV1alpha1TrainJobStatus
from test_job_manifest import ORIGIN, SEED

from liftgate.errors import JobRefused
from liftgate.jobs.backend import JobState, Phase
from liftgate.jobs.identity import identified
from liftgate.jobs.spec import JobSpec
from liftgate.jobs.trainjob import check, render, state_of, trainjob

EXPECTED = Path(__file__).with_name("trainjob.expected.yaml")
Object = dict[str, Any]


def made(spec: JobSpec = SEED, attempt: int = 1) -> Object:
    return identified(render(spec), ORIGIN, attempt)


def read_by_trainer(manifest: Object) -> Object:
    """The manifest after it was every model that Trainer generates from its schema; what they do not know is gone."""
    job = TrainerV1alpha1TrainJob.from_dict(copy.deepcopy(manifest))
    assert job is not None
    sent: Object = job.to_dict()
    return sent


def test_the_seeds_job_renders_as_expected(rebuild_expected: bool) -> None:
    rendered = yaml.safe_dump(made(), sort_keys=True)
    if rebuild_expected:
        EXPECTED.write_text(rendered, encoding="utf-8")
    assert rendered == EXPECTED.read_text(encoding="utf-8"), "pytest --rebuild-expected, if this is meant"


@pytest.mark.parametrize(
    "change",
    [{}, {"nodes": 3, "procs_per_node": 2}, {"deadline_seconds": None}, {"pod": {"nodeSelector": {"gpu": "a100"}}}],
)
def test_trainers_own_models_read_it_and_lose_nothing(change: Object) -> None:
    manifest = made(replace(SEED, **change))
    check(manifest)
    assert read_by_trainer(manifest) == manifest


def test_trainers_own_models_refuse_what_is_wrong() -> None:
    for wrong in ({"trainer": {"numNodes": "three"}}, {"runtimeRef": {}}, {"runtimePatches": [{}]}):
        manifest = made()
        manifest["spec"] |= wrong
        with pytest.raises(ValueError, match="validation error"):
            read_by_trainer(manifest)
    misspelt = made()
    misspelt["spec"]["trainer"]["nodes"] = 3
    assert read_by_trainer(misspelt) != misspelt


def pod(manifest: Object) -> Object:
    (patch,) = manifest["spec"]["runtimePatches"]
    (job,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    found: Object = job["template"]["spec"]["template"]["spec"]
    return found


def test_notes_for_people_change_no_name_and_are_on_its_pods() -> None:
    noted = made(replace(SEED, release=8, dataset_version="x", labels={"team": "search"}))
    assert noted["metadata"]["name"] == made()["metadata"]["name"]
    assert made(replace(SEED, image="other"))["metadata"]["name"] != made()["metadata"]["name"]
    (patch,) = noted["spec"]["runtimePatches"]
    (job,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    metadata = job["template"]["spec"]["template"]["metadata"]
    assert metadata == {"labels": {"team": "search"}, "annotations": noted["metadata"]["annotations"]}


def test_the_trainer_is_told_which_attempt_it_is_where_trainer_allows_it() -> None:
    manifest = made()
    (told,) = manifest["spec"]["trainer"]["env"]
    assert told == {"name": "LIFTGATE_JOB", "value": f"llm/{manifest['metadata']['name']}"}
    assert "env" not in pod(manifest)["containers"][0]


def test_the_runtime_is_a_setting() -> None:
    assert render(SEED)["spec"]["runtimeRef"]["name"] == "torch-distributed"
    assert trainjob("ours").render(SEED)["spec"]["runtimeRef"]["name"] == "ours"


def test_one_process_is_started_as_it_is_and_several_by_torchrun() -> None:
    assert render(SEED)["spec"]["trainer"]["command"] == ["python", "-m", "trainer.train_lora"]
    by_torchrun = ["python", "-m", "torch.distributed.run", "-m", "trainer.train_lora"]
    assert render(replace(SEED, nodes=2))["spec"]["trainer"]["command"] == by_torchrun
    assert render(replace(SEED, procs_per_node=2))["spec"]["trainer"]["command"] == by_torchrun
    own = replace(SEED, command=("torchrun", "-m", "trainer.train_lora"), nodes=2)
    assert render(own)["spec"]["trainer"]["command"] == ["torchrun", "-m", "trainer.train_lora"]


def test_what_a_team_adds_to_the_pod_goes_before_what_liftgate_sets() -> None:
    assert pod(render(SEED))["securityContext"]["runAsUser"] == 10001
    assert pod(render(replace(SEED, pod={"securityContext": {"runAsUser": 7}})))["securityContext"] == {"runAsUser": 7}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": 0}, "at least one node"),
        ({"env_secret": "store-keys"}, "envFrom of the runtime's container"),
        ({"pod": {"hostNetwork": True}}, "hostNetwork. Set the others in the runtime"),
    ],
)
def test_what_a_trainjob_cannot_say_is_refused_and_not_left_out(change: Object, said: str) -> None:
    with pytest.raises(JobRefused, match=said):
        render(replace(SEED, **change))


@pytest.mark.parametrize("slug", ["x" * 80, "7th adapter", ""])
@pytest.mark.parametrize("nodes", [1, 1000])
def test_any_slug_gives_names_that_its_pods_can_carry(slug: str, nodes: int) -> None:
    manifest = made(replace(SEED, slug=slug, nodes=nodes), attempt=99)
    check(manifest)
    assert len(f"{manifest['metadata']['name']}-node-0-{nodes - 1}-abcde") <= 63


def _other_kind(job: Object) -> None:
    job["kind"] = "PyTorchJob"


def _lengthen_name(job: Object) -> None:
    job["metadata"]["name"] = "x" * 49


def _no_runtime(job: Object) -> None:
    del job["spec"]["runtimeRef"]["name"]


def _older_overrides(job: Object) -> None:
    job["spec"]["podTemplateOverrides"] = []


def _torchruns_variable(job: Object) -> None:
    job["spec"]["trainer"]["env"].append({"name": "PET_NNODES", "value": "2"})


def _nameless_manager(job: Object) -> None:
    job["spec"]["runtimePatches"][0]["manager"] = "liftgate"


def _variables_in_the_patch(job: Object) -> None:
    pod(job)["containers"][0]["env"] = [{"name": "A", "value": "1"}]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_other_kind, "Hand in a TrainJob"),
        (_lengthen_name, "at most 48"),
        (_no_runtime, "spec.runtimeRef.name"),
        (_older_overrides, "podTemplateOverrides"),
        (_torchruns_variable, "PET_NNODES"),
        (_nameless_manager, "example.com/team"),
        (_variables_in_the_patch, "spec.trainer.env"),
    ],
)
def test_what_trainer_would_refuse_or_leave_out_is_refused_here(spoil: Callable[[Object], None], said: str) -> None:
    manifest = made()
    check(manifest)  # so that the refusal below is due to the one change
    spoil(manifest)
    with pytest.raises(JobRefused, match=said):
        check(manifest)


def test_a_trainjob_of_its_runtime_alone_is_fine() -> None:
    metadata = {"name": "bare", "namespace": "llm"}
    check({"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": metadata, "spec": {
        "runtimeRef": {"name": "torch-distributed"}, "suspend": True,
    }})  # fmt: skip


def condition(kind: str, status: str = "True", reason: str = "Said") -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def jobs(name: str = "node", **counts: int) -> list[Object]:
    return [{"name": name, **{count: counts.get(count, 0) for count in COUNTS}}]


COUNTS = ("ready", "succeeded", "failed", "active", "suspended")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (None, JobState(Phase.PENDING)),
        ({}, JobState(Phase.PENDING)),
        ({"jobsStatus": jobs(active=1)}, JobState(Phase.PENDING)),  # its pod waits for a node
        ({"jobsStatus": jobs("dataset-initializer", ready=1)}, JobState(Phase.PENDING)),
        ({"jobsStatus": jobs(ready=1, active=1)}, JobState(Phase.RUNNING)),
        ({"jobsStatus": jobs(succeeded=1)}, JobState(Phase.RUNNING)),  # the condition follows
        ({"conditions": [condition("Suspended")]}, JobState(Phase.SUSPENDED, "Said", "m")),
        ({"conditions": [condition("Suspended", "False", "Resumed")]}, JobState(Phase.PENDING)),
        (
            {"conditions": [condition("Suspended", "False", "Resumed")], "jobsStatus": jobs(ready=1)},
            JobState(Phase.RUNNING),
        ),
        ({"conditions": [condition("Complete")]}, JobState(Phase.SUCCEEDED, "Said", "m")),
        (
            {"conditions": [condition("Suspended", "False"), condition("Complete")]},
            JobState(Phase.SUCCEEDED, "Said", "m"),
        ),
        (
            {"conditions": [condition("Failed", reason="DeadlineExceeded")], "jobsStatus": jobs(ready=1)},
            JobState(Phase.FAILED, "DeadlineExceeded", "m"),
        ),
        ({"conditions": [condition("Suspended"), condition("Failed")]}, JobState(Phase.FAILED, "Said", "m")),
    ],
)
def test_every_status_has_one_meaning(status: Object | None, state: JobState) -> None:
    if status:  # a status that Trainer could not write would prove nothing
        TrainerV1alpha1TrainJobStatus.from_dict(copy.deepcopy(status))
    assert state_of(status) == state


def test_pods_come_in_the_order_of_their_nodes() -> None:
    pods = [{"metadata": {"labels": {"batch.kubernetes.io/job-completion-index": number}}} for number in ("10", "9")]
    assert trainjob().own_pods(pods, "uid") == pods[::-1]
