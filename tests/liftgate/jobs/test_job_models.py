"""Rendered jobs against the models that Kubeflow generates from its schemas."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import pytest
from kubeflow.training.api_client import ApiClient
from test_job_manifest import SEED

from liftgate.jobs.pytorchjob import render


class Answer:
    """A manifest as the SDK gets it from a server."""

    def __init__(self, manifest: dict[str, Any]):
        self.data = json.dumps(manifest)


def read_by_the_sdk(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest after it was every model of the SDK, whose setters refuse what may not be missing."""
    if int(version("kubernetes").partition(".")[0]) >= 36:
        pytest.skip(
            "The training SDK cannot read with a Kubernetes client of 36. make CONSTRAINTS=constraints.txt test"
        )
    client = ApiClient()
    job = client.deserialize(Answer(manifest), "KubeflowOrgV1PyTorchJob")
    sent: dict[str, Any] = client.sanitize_for_serialization(job)
    return sent


@pytest.mark.parametrize("nodes", [1, 3])
def test_the_sdk_reads_a_pytorchjob_and_loses_nothing(nodes: int) -> None:
    manifest = render(replace(SEED, nodes=nodes, env_secret="store-keys", env={"A": "1"}))
    assert read_by_the_sdk(manifest) == manifest


def test_the_sdk_refuses_a_pytorchjob_without_replicas() -> None:
    manifest = render(SEED)
    del manifest["spec"]["pytorchReplicaSpecs"]
    with pytest.raises(ValueError, match="pytorch_replica_specs"):
        read_by_the_sdk(manifest)
