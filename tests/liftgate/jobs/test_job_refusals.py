"""What the operator's webhook would refuse, or what one machine cannot run, is refused before anything starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liftgate.errors import JobRefused
from liftgate.jobs.local import manifest as local_manifest
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Resources, Volume


def manifest(gpus: int = 0) -> dict[str, Any]:
    return render(
        JobSpec(
            slug="job",
            image="trainer:1",
            args=("--epochs", "1"),
            resources=Resources(cpus=1, memory="1Gi", gpus=gpus),
            volumes=(Volume("data", "/data"),),
            retries=1,
        )
    )


def read(job: dict[str, Any], ignore_gpus: bool = False) -> local_manifest.LocalJob:
    return local_manifest.read(job, {"data": Path("/somewhere")}, ignore_gpus)


def pod(job: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    return inner


def _rename_container(job: dict[str, Any]) -> None:
    pod(job)["containers"][0]["name"] = "trainer"


def _add_sidecar(job: dict[str, Any]) -> None:
    pod(job)["containers"].append({"name": "proxy", "image": "x"})


def _add_init_container(job: dict[str, Any]) -> None:
    pod(job)["initContainers"] = [{"name": "copy", "image": "x"}]


def _drop_command(job: dict[str, Any]) -> None:
    del pod(job)["containers"][0]["command"], pod(job)["containers"][0]["args"]


def _drop_image(job: dict[str, Any]) -> None:
    pod(job)["containers"][0]["image"] = ""


def _mount_other_claim(job: dict[str, Any]) -> None:
    pod(job)["volumes"][0]["persistentVolumeClaim"]["claimName"] = "other"


def _read_secret(job: dict[str, Any]) -> None:
    pod(job)["containers"][0]["env"] = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {}}}]


def _drop_backoff_limit(job: dict[str, Any]) -> None:
    del job["spec"]["runPolicy"]["backoffLimit"]


def _lengthen_name(job: dict[str, Any]) -> None:
    job["metadata"]["name"] = "x" * 55


def _capitalise_name(job: dict[str, Any]) -> None:
    job["metadata"]["name"] = "Job"


def _two_masters(job: dict[str, Any]) -> None:
    job["spec"]["pytorchReplicaSpecs"]["Master"]["replicas"] = 2


def _unknown_type(job: dict[str, Any]) -> None:
    job["spec"]["pytorchReplicaSpecs"]["Chief"] = job["spec"]["pytorchReplicaSpecs"]["Master"]


def _other_kind(job: dict[str, Any]) -> None:
    job["kind"] = "TFJob"


def _suspend(job: dict[str, Any]) -> None:
    job["spec"]["runPolicy"]["suspend"] = True


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_rename_container, "Rename the training container to 'pytorch'"),
        (_add_sidecar, "no sidecars"),
        (_add_init_container, "init containers"),
        (_drop_command, "command"),
        (_drop_image, "image"),
        (_mount_other_claim, "Map the claim"),
        (_read_secret, "TOKEN"),
        (_drop_backoff_limit, "for ever"),
        (_lengthen_name, "55 characters"),
        (_capitalise_name, "lower-case"),
        (_two_masters, "one Master"),
        (_unknown_type, "Chief"),
        (_other_kind, "TFJob"),
        (_suspend, "suspend"),
    ],
)
def test_a_manifest_that_cannot_run_is_refused_with_its_reason(
    spoil: Callable[[dict[str, Any]], None], said: str
) -> None:
    job = manifest()
    assert read(job).replicas  # so that the refusal below is due to the one change
    spoil(job)
    with pytest.raises(JobRefused, match=said):
        read(job)


def test_gpus_are_refused_or_loudly_ignored() -> None:
    with pytest.raises(JobRefused, match="nvidia.com/gpu: 1"):
        read(manifest(gpus=1))
    notes = read(manifest(gpus=1), ignore_gpus=True).replicas[0].notes
    assert any("nvidia.com/gpu: 1 is ignored" in note for note in notes)


def test_variables_in_the_command_are_filled_in() -> None:
    job = manifest()
    pod(job)["containers"][0] |= {"env": [{"name": "N", "value": "7"}], "args": ["$(N)", "$(UNKNOWN)"]}
    assert read(job).replicas[0].command[-2:] == ("7", "$(UNKNOWN)")
