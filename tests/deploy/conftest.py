"""A Kubernetes API server, where there is one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

HOW_TO_GET_ONE = (
    "No Kubernetes API server was found. Set KUBECONFIG to one that has Kubeflow's training operator, and where you "
    "may make namespaces, to try the manifests and the rights there."
)


@pytest.fixture(scope="session")
def api() -> ApiClient:
    """A client with the rights of KUBECONFIG's user."""
    from kubernetes import client, config

    if not os.environ.get("KUBECONFIG"):
        pytest.skip(HOW_TO_GET_ONE)
    configuration = client.Configuration()
    config.load_kube_config(client_configuration=configuration)
    return client.ApiClient(configuration)


@pytest.fixture
def namespace(api: ApiClient) -> Iterator[str]:
    """A namespace that goes with the test, and all in it."""
    from kubernetes.client import CoreV1Api

    name = f"liftgate-test-{uuid.uuid4().hex[:8]}"
    CoreV1Api(api).create_namespace({"metadata": {"name": name}})
    yield name
    CoreV1Api(api).delete_namespace(name)
