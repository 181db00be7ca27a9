"""The manifests of deploy/, without a cluster: Kubernetes' own schemas, and what the files promise each other."""

from __future__ import annotations

import copy
import re
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml
from deploy_manifests import DEPLOY, documents, the

from liftgate.config.jobs import ClaimsBlock
from liftgate.config.training import TrainingBlock
from liftgate.jobs.identity import pod_patches
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.security import container_security, pod_security
from liftgate.jobs.spec import JobSpec, Resources
from liftgate.jobs.trainjob import trainjob

VALUES: dict[str, Any] = yaml.safe_load((DEPLOY / "airflow-values.yaml").read_text())
FOLDERS = [".", "trainjobs", "kueue"]
KUBERNETES = ["1.28", "1.34"]
BUILT_IN = [one for folder in FOLDERS for one in documents(folder) if one["kind"] != "LocalQueue"]
JOB = JobSpec(slug="job", image="trainer:1", args=(), resources=Resources(cpus=1, memory="1Gi"), nodes=2)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("document", BUILT_IN, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_every_manifest_holds_the_schema_of_kubernetes(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schema_refuses_what_is_not_in_it() -> None:
    wrong = copy.deepcopy(the("NetworkPolicy"))
    wrong["spec"]["egres"] = wrong["spec"].pop("egress")
    with pytest.raises(kubernetes_validate.ValidationError, match="egres"):
        kubernetes_validate.validate(wrong, KUBERNETES[0], strict=True)


def test_every_file_is_applied_by_one_kustomization() -> None:
    listed = []
    for folder in FOLDERS:
        names = yaml.safe_load((DEPLOY / folder / "kustomization.yaml").read_text())["resources"]
        listed += [DEPLOY / folder / name for name in names]
    others = {"kustomization.yaml", "airflow-values.yaml"}
    assert sorted(listed) == sorted(path for path in DEPLOY.rglob("*.*") if path.name not in others)


def test_everything_lies_in_the_namespace_of_the_jobs() -> None:
    training = TrainingBlock.model_fields["namespace"].default
    assert the("Namespace")["metadata"]["name"] == training
    for document in documents() + documents("trainjobs") + documents("kueue"):
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == training


def test_claims_are_those_that_jobs_mount_and_several_nodes_may_share_them() -> None:
    claims = {one["metadata"]["name"]: one for one in documents() if one["kind"] == "PersistentVolumeClaim"}
    assert set(claims) == {ClaimsBlock().data, ClaimsBlock().artifacts}
    assert all(claim["spec"]["accessModes"] == ["ReadWriteMany"] for claim in claims.values())
    mounted = {one["persistentVolumeClaim"]["claimName"] for one in VALUES["workers"]["extraVolumes"]}
    assert mounted == set(claims)


def test_rights_are_given_to_the_accounts_that_airflow_runs_as() -> None:
    account = the("ServiceAccount")["metadata"]["name"]
    for folder in (".", "trainjobs"):
        binding = the("RoleBinding", folder)
        assert [one["name"] for one in binding["subjects"]] == [account]
        assert binding["roleRef"]["name"] == the("Role", folder)["metadata"]["name"]
    for part in ("workers", "triggerer"):
        assert VALUES[part]["serviceAccount"] == {"create": False, "name": account}
    assert VALUES["triggerer"]["enabled"] is True


def test_the_image_of_the_values_is_the_one_that_is_built_here() -> None:
    compose = (DEPLOY.parent / "docker-compose.yaml").read_text()
    image = VALUES["images"]["airflow"]
    assert f"image: {image['repository']}:{image['tag']}\n" in compose
    pinned = re.search(r"^apache-airflow==(.*)$", (DEPLOY.parent / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert VALUES["airflowVersion"] == pinned[1]


def test_the_values_hold_no_secret_and_switch_off_those_that_the_chart_invents() -> None:
    assert VALUES["postgresql"] == VALUES["createUserJob"] == {"enabled": False}
    names = {VALUES[f"{name}SecretName"] for name in ("fernetKey", "apiSecretKey", "jwt")}
    assert names == {"airflow-keys"}
    assert not [one["name"] for one in VALUES["env"] if re.search("PASSWORD|SECRET|CONN|TOKEN|KEY", one["name"])]
    environment = {one["name"]: one["value"] for one in VALUES["env"]}
    assert environment["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert environment["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] == "1"


def restricted(pod: dict[str, Any], container: dict[str, Any]) -> bool:
    """Whether security contexts hold the pod security standard `restricted`, version 1.34."""
    return (
        pod["runAsNonRoot"] is True
        and pod["runAsUser"] > 0
        and pod["seccompProfile"] == {"type": "RuntimeDefault"}
        and container == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    )


def test_airflows_pods_and_the_jobs_ask_for_no_more_than_restricted_allows() -> None:
    contexts = VALUES["securityContexts"]
    assert restricted(contexts["pod"], contexts["containers"])
    for replica in render(JOB)["spec"]["pytorchReplicaSpecs"].values():
        pod = replica["template"]["spec"]
        (container,) = pod["containers"]
        assert restricted(pod["securityContext"], container["securityContext"])
        assert pod["automountServiceAccountToken"] is False
    for patch in pod_patches(trainjob().render(JOB)["spec"]):
        (container,) = patch["spec"]["containers"]
        assert restricted(patch["spec"]["securityContext"], container["securityContext"])
    assert not restricted({**pod_security(), "runAsUser": 0}, container_security())


def test_jobs_run_as_the_user_of_their_image_and_own_what_their_claims_hold() -> None:
    (user,) = re.findall(r"^USER (\d+):", (DEPLOY.parent / "trainer_image/Dockerfile").read_text(), re.MULTILINE)
    assert {pod_security()[name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {int(user)}
    airflow = VALUES["securityContexts"]["pod"]
    assert airflow["fsGroup"] == int(user)  # or one could not read what the other wrote


@pytest.mark.parametrize(
    ("folder", "label"), [(".", "training.kubeflow.org/job-name"), ("trainjobs", "jobset.sigs.k8s.io/jobset-name")]
)
def test_jobs_reach_each_other_and_dns_and_nothing_else(folder: str, label: str) -> None:
    spec = the("NetworkPolicy", folder)["spec"]
    jobs = {"matchExpressions": [{"key": label, "operator": "Exists"}]}
    assert spec["podSelector"] == jobs
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert spec["ingress"] == [{"from": [{"podSelector": jobs}]}]
    among_jobs, names = spec["egress"]
    assert among_jobs == {"to": [{"podSelector": jobs}]}
    assert {port["port"] for port in names["ports"]} == {53}
    assert "namespaceSelector" in names["to"][0]


@pytest.mark.parametrize("folder", FOLDERS)
def test_kubectl_builds_every_folder(folder: str) -> None:
    try:
        built = subprocess.run(["kubectl", "kustomize", DEPLOY / folder], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("kubectl was not found. Put it on PATH to build the kustomizations with it.")
    assert built.returncode == 0, built.stderr
    kinds = sorted(one["kind"] for one in yaml.safe_load_all(built.stdout))
    assert kinds == sorted(one["kind"] for one in documents(folder))
