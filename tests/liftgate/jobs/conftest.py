"""A flag that writes expected files anew, and every place where jobs can run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import Cluster, real_cluster
from kubernetes_server import KubernetesServer, kubernetes_server
from places import Place

from liftgate.jobs.api import api_client
from liftgate.jobs.backend import JobRef
from liftgate.jobs.kubeflow import KubeflowBackend
from liftgate.jobs.local.backend import LocalBackend


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
    with real_cluster(tmp_path, {}) as cluster:
        backend = _Labelling(api_client(str(cluster.kubeconfig)), cluster)
        names = lambda: sorted(job["metadata"]["name"] for job in cluster.jobs())  # noqa: E731
        yield Place(backend, backend.cancel, names, has_logs=False)


class _Labelling(KubeflowBackend):
    """Marks what it submits, so that tests find and remove only what is theirs."""

    def __init__(self, api: Any, cluster: Cluster):
        super().__init__(api)
        self._cluster = cluster

    def submit(self, manifest: dict[str, Any]) -> JobRef:
        self._cluster.label(manifest)
        return super().submit(manifest)
