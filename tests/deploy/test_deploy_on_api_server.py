"""The manifests and the rights on a real API server, where KUBECONFIG points at one with the training operator."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from deploy_manifests import the

from liftgate.jobs.identity import identified
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Origin, Resources, Volume

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

JOBS = ("kubeflow.org", "v1")
SEED = JobSpec(
    slug="adapter-handbook",
    image="liftgate-trainer:0.1.0",
    args=("--base_model", "google/gemma-2-2b-it", "--train_jsonl", "/data/train.jsonl"),
    resources=Resources(cpus=4, memory="16Gi", gpus=1),
    volumes=(Volume("llm-train-data-pvc", "/data"), Volume("llm-artifacts-pvc", "/artifacts")),
    retries=1,
    nodes=2,
    labels={"kueue.x-k8s.io/queue-name": "liftgate"},
)


def job(namespace: str) -> dict[str, Any]:
    made = identified(render(SEED), Origin("adapter_handbook", "manual__1", "train"), 1)
    made["metadata"]["namespace"] = namespace
    return made


def dry_run(api: ApiClient, manifest: dict[str, Any]) -> dict[str, Any]:
    """What the server would store, after its schema and the operator's webhook; it stores nothing."""
    from kubernetes.client import CustomObjectsApi

    made: dict[str, Any] = CustomObjectsApi(api).create_namespaced_custom_object(
        *JOBS, manifest["metadata"]["namespace"], "pytorchjobs", manifest, dry_run="All", field_validation="Strict"
    )
    return made


def test_the_server_and_the_operator_accept_the_job_as_it_is(api: ApiClient, namespace: str) -> None:
    sent = job(namespace)
    made = dry_run(api, sent)
    assert (
        made["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
        == (sent["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"])
    )


def _rename_container(sent: dict[str, Any]) -> None:
    sent["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["name"] = "trainer"


def _misspell(sent: dict[str, Any]) -> None:
    sent["spec"]["runPolicy"]["backofLimit"] = 3


def _two_masters(sent: dict[str, Any]) -> None:
    sent["spec"]["pytorchReplicaSpecs"]["Master"]["replicas"] = 2


@pytest.mark.parametrize(
    ("spoil", "said"), [(_rename_container, "pytorch"), (_misspell, "backofLimit"), (_two_masters, "Master")]
)
def test_what_is_wrong_is_refused(api: ApiClient, namespace: str, spoil: Any, said: str) -> None:
    from kubernetes.client import ApiException

    sent = job(namespace)
    spoil(sent)
    with pytest.raises(ApiException, match=said) as raised:
        dry_run(api, sent)
    assert raised.value.status in (400, 403, 422)


@pytest.fixture
def airflow(api: ApiClient, namespace: str) -> ApiClient:
    """A client that is taken for Airflow's account, which has the rights of deploy/ and no others."""
    from kubernetes.client import ApiClient, CoreV1Api, RbacAuthorizationV1Api

    account, role, binding = (the(kind) for kind in ("ServiceAccount", "Role", "RoleBinding"))
    for document in (account, role, binding):
        document["metadata"]["namespace"] = namespace
    for subject in binding["subjects"]:
        subject["namespace"] = namespace
    CoreV1Api(api).create_namespaced_service_account(namespace, account)
    RbacAuthorizationV1Api(api).create_namespaced_role(namespace, role)
    RbacAuthorizationV1Api(api).create_namespaced_role_binding(namespace, binding)
    name = f"system:serviceaccount:{namespace}:{account['metadata']['name']}"
    return ApiClient(api.configuration, header_name="Impersonate-User", header_value=name)


def allowed(api: ApiClient, namespace: str, group: str, resource: str, verb: str) -> bool:
    from kubernetes.client import AuthorizationV1Api

    name, _, subresource = resource.partition("/")
    asked = {"namespace": namespace, "group": group, "resource": name, "subresource": subresource, "verb": verb}
    review = AuthorizationV1Api(api).create_self_subject_access_review({"spec": {"resourceAttributes": asked}})
    return bool(review.status.allowed)


def test_airflow_may_do_exactly_what_the_role_says(airflow: ApiClient, namespace: str) -> None:
    verbs = ("create", "get", "list", "watch", "patch", "update", "delete", "deletecollection")
    kinds = ("pods", "pods/log", "pods/exec", "events", "secrets", "configmaps", "serviceaccounts", "services")
    resources = [*(("", kind) for kind in kinds), ("kubeflow.org", "pytorchjobs")]
    may = {
        (resource, verb)
        for group, resource in resources
        for verb in verbs
        if allowed(airflow, namespace, group, resource, verb)
    }
    rules = the("Role")["rules"]
    assert may == {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def test_airflow_runs_a_job_with_these_rights_and_reads_no_secret(airflow: ApiClient, namespace: str) -> None:
    from kubernetes.client import ApiException, CoreV1Api

    from liftgate.jobs.backend import Phase
    from liftgate.jobs.kubeflow import KubeflowBackend

    backend = KubeflowBackend(airflow)
    ref = backend.submit(job(namespace))
    assert backend.find(namespace, ref.name) == ref
    assert not backend.status(ref).phase.ended
    assert list(backend.logs(ref)) == []
    assert isinstance(backend.troubles(ref), list)
    backend.cancel(ref)
    while backend.status(ref).phase is not Phase.LOST:
        time.sleep(0.1)
    with pytest.raises(ApiException) as raised:
        CoreV1Api(airflow).list_namespaced_secret(namespace)
    assert raised.value.status == 403
