"""Clusters for a story: the tests' own, and a real one where KUBECONFIG names it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kubelet import Kubelet
from kubernetes_server import kubernetes_server

from liftgate.jobs.api import api_client
from liftgate.jobs.backend import Phase
from liftgate.jobs.kubeflow import KubeflowBackend

NAMESPACE = "llm"
HOW_TO_GET_ONE = (
    "Set KUBECONFIG to a Kubernetes API server with Kubeflow's training operator (1.9) and a namespace llm. One "
    "without nodes will do: the tests run the pods' commands themselves."
)
LABEL = "liftgate-test"


@dataclass
class Cluster:
    """What a story needs to know of a cluster."""

    kubeconfig: Path
    mark: str
    jobs: Callable[[], list[dict[str, Any]]]
    """Manifests of all jobs that were ever made under this mark."""

    job: dict[str, Any] = field(default_factory=dict)
    """Settings of a JobBlock that jobs need here."""
    serves_logs: bool = True
    """Logs are the nodes' own: a server without nodes has none."""

    def __post_init__(self) -> None:
        self.backend = KubeflowBackend(api_client(str(self.kubeconfig)))
        self._seen: dict[str, str] = {}

    @property
    def labels(self) -> dict[str, str]:
        """What marks a job and its pods as ours."""
        return {LABEL: self.mark}

    def label(self, manifest: dict[str, Any]) -> None:
        """Marks a job and its pods as ours."""
        manifest["metadata"]["labels"] = {**(manifest["metadata"].get("labels") or {}), **self.labels}
        for replica in manifest["spec"]["pytorchReplicaSpecs"].values():
            pod = replica["template"].setdefault("metadata", {})
            pod["labels"] = {**(pod.get("labels") or {}), **self.labels}

    def made_for(self, run_id: str) -> list[str]:
        """Names of the jobs that a run has made, also of those that are gone."""
        for job in self.jobs():
            self._seen[job["metadata"]["name"]] = job["metadata"]["annotations"]["liftgate.dev/run-id"]
        return sorted(name for name, run in self._seen.items() if run == run_id)

    def running(self, names: list[str]) -> bool:
        """Whether there is one such job, and it runs."""
        refs = [self.backend.find(NAMESPACE, name) for name in names]
        return len(refs) == 1 and refs[0] is not None and self.backend.status(refs[0]).phase is Phase.RUNNING

    def is_there(self, name: str) -> bool:
        """Whether the job exists."""
        return self.backend.find(NAMESPACE, name) is not None


@contextmanager
def cluster_of_the_tests(root: Path, claims: dict[str, Path]) -> Iterator[Cluster]:
    """The API server of the tests, with jobs as processes."""
    with kubernetes_server(root, claims) as server:
        yield Cluster(server.kubeconfig, "none", lambda: list(server.manifests))


@contextmanager
def real_cluster(root: Path, claims: dict[str, Path]) -> Iterator[Cluster]:
    """That of KUBECONFIG; without nodes of its own, the pods' commands run here."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip(f"No Kubernetes cluster was found. {HOW_TO_GET_ONE}")
    from kubernetes.client import CustomObjectsApi

    kubeconfig, mark = Path(os.environ["KUBECONFIG"]), f"test-{uuid4().hex[:8]}"
    api = api_client(str(kubeconfig))
    objects, where = CustomObjectsApi(api), ("kubeflow.org", "v1", NAMESPACE, "pytorchjobs")

    def jobs() -> list[dict[str, Any]]:
        found: Any = objects.list_namespaced_custom_object(*where, label_selector=f"{LABEL}={mark}")
        return list(found["items"])

    has_nodes = _has_nodes(api)
    kubelet = None if has_nodes else Kubelet(api, NAMESPACE, f"{LABEL}={mark}", root, claims)
    try:
        yield Cluster(kubeconfig, mark, jobs, serves_logs=has_nodes)
    finally:
        for job in jobs():
            objects.delete_namespaced_custom_object(*where, job["metadata"]["name"])
        if kubelet:
            kubelet.stop()


def _has_nodes(api: Any) -> bool:
    from kubernetes.client import CoreV1Api
    from kubernetes.client.rest import ApiException

    try:
        return bool(CoreV1Api(api).list_node().items)
    except ApiException:
        return False
