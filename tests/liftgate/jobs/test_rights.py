"""The rights of an account, asked of an API server over HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from clusters import HOW_TO_GET_ONE
from kubernetes_server import KubernetesServer, kubernetes_server

from liftgate.errors import ConfigurationError
from liftgate.jobs.api import api_client
from liftgate.jobs.kinds import kind_named
from liftgate.jobs.rights import require_rights, rights_for

ROLE = Path(__file__).parents[3] / "deploy" / "role.yaml"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KubernetesServer]:
    with kubernetes_server(tmp_path) as made:
        yield made


def test_an_account_with_every_right_is_sound(server: KubernetesServer) -> None:
    assert "llm" in require_rights(api_client(str(server.kubeconfig)), kind_named("pytorchjob"), "llm")


def test_every_missing_right_is_named_with_the_remedy(server: KubernetesServer) -> None:
    server.forbidden = {"create pytorchjobs", "get pods"}
    with pytest.raises(ConfigurationError, match="create pytorchjobs, get pods/log in namespace llm.*deploy/"):
        require_rights(api_client(str(server.kubeconfig)), kind_named("pytorchjob"), "llm")


def test_what_is_asked_for_is_what_the_shipped_role_grants() -> None:
    granted = {
        (group, resource, verb)
        for rule in yaml.safe_load(ROLE.read_text())["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    asked = {
        (right["group"], "/".join(filter(None, (right["resource"], right.get("subresource")))), right["verb"])
        for right in rights_for(kind_named("pytorchjob"))
    }
    assert asked == granted


@pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason=f"No Kubernetes cluster was found. {HOW_TO_GET_ONE}")
def test_a_real_cluster_tells_what_its_account_may_do() -> None:
    assert "llm" in require_rights(api_client(), kind_named("pytorchjob"), "llm")
