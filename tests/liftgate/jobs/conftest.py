"""A flag that writes expected files anew, and every place where jobs can run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kubelet import Kubelet
from kubernetes_server import KubernetesServer, kubernetes_server
from places import Place

from liftgate.jobs.api import api_client
from liftgate.jobs.backend import JobRef
from liftgate.jobs.kubeflow import KubeflowBackend
from liftgate.jobs.local.backend import LocalBackend

HOW_TO_GET_A_CLUSTER = (
    "Set KUBECONFIG to a Kubernetes API server with Kubeflow's training operator (1.9) and a namespace llm. One "
    "without nodes will do: the tests run the pods' commands themselves."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rebuild-expected", action="store_true", help="write the .expected files anew")


@pytest.fixture
def rebuild_expected(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rebuild-expected", default=False))


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[KubernetesServer]:
    with kubernetes_server(tmp_path, {"data": tmp_path / "d", "out": tmp_path / "o"}) as server:
        yield server


@pytest.fixture(params=["local", "api", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """This machine; the real client against the tests' own API server; a real API server with the real operator."""
    yield from {"local": _local, "api": _api, "cluster": _cluster}[request.param](request, tmp_path)


def _local(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    backend = LocalBackend(tmp_path / "jobs", {"data": tmp_path / "d", "out": tmp_path / "o"}, tmp_path / "image")
    yield Place(backend, backend.delete, lambda: sorted(path.name for path in (tmp_path / "jobs" / "llm").glob("*-a*")))


def _api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: KubernetesServer = request.getfixturevalue("kubernetes")
    backend = KubeflowBackend(api_client(str(server.kubeconfig)))
    yield Place(backend, backend.cancel, lambda: sorted(server.made))


def _cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip(f"No Kubernetes cluster was found. {HOW_TO_GET_A_CLUSTER}")
    from kubernetes.client import CoreV1Api, CustomObjectsApi
    from kubernetes.client.rest import ApiException

    api = api_client(os.environ["KUBECONFIG"])
    try:
        has_nodes = bool(CoreV1Api(api).list_node().items)
    except ApiException:
        has_nodes = False
    namespace = "llm"
    mark = f"test-{uuid4().hex[:8]}"
    kubelet = None if has_nodes else Kubelet(api, namespace, f"liftgate-test={mark}", tmp_path)
    jobs = CustomObjectsApi(api)
    where = ("kubeflow.org", "v1", namespace, "pytorchjobs")
    backend = _Marked(api, mark)

    def made() -> list[str]:
        found: Any = jobs.list_namespaced_custom_object(*where, label_selector=f"liftgate-test={mark}")
        return sorted(one["metadata"]["name"] for one in found["items"])

    yield Place(backend, backend.cancel, made, has_logs=has_nodes)
    for name in made():
        jobs.delete_namespaced_custom_object(*where, name)
    if kubelet:
        kubelet.stop()


class _Marked(KubeflowBackend):
    """Labels what it submits, so that tests find and remove only what is theirs."""

    def __init__(self, api: Any, mark: str):
        super().__init__(api)
        self._mark = {"liftgate-test": mark}

    def submit(self, manifest: dict[str, Any]) -> JobRef:
        metadata = manifest["metadata"]
        metadata["labels"] = {**(metadata.get("labels") or {}), **self._mark}
        for replica in manifest["spec"]["pytorchReplicaSpecs"].values():
            pod = replica["template"].setdefault("metadata", {})
            pod["labels"] = {**(pod.get("labels") or {}), **self._mark}
        return super().submit(manifest)
