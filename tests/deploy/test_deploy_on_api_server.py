"""The manifests and the rights on a real API server, where KUBECONFIG points at one with the training operator."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from deploy_manifests import the

from liftgate.jobs.backend import Phase
from liftgate.jobs.identity import identified
from liftgate.jobs.kubeflow import PYTORCHJOB, JobKind, KubeflowBackend
from liftgate.jobs.spec import JobSpec, Origin, Resources, Volume
from liftgate.jobs.trainjob import trainjob

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

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


def job(namespace: str, kind: JobKind = PYTORCHJOB) -> dict[str, Any]:
    made = identified(kind.render(SEED), Origin("adapter_handbook", "manual__1", "train"), 1)
    made["metadata"]["namespace"] = namespace
    return made


def dry_run(api: ApiClient, manifest: dict[str, Any], kind: JobKind = PYTORCHJOB) -> dict[str, Any]:
    """What the server would store, after its schema and the operator's webhook; it stores nothing."""
    from kubernetes.client import CustomObjectsApi

    make = CustomObjectsApi(api).create_namespaced_custom_object
    namespace = manifest["metadata"]["namespace"]
    made: dict[str, Any] = make(
        kind.group, kind.version, namespace, kind.plural, manifest, dry_run="All", field_validation="Strict"
    )
    return made


@pytest.fixture
def trainer(api: ApiClient) -> JobKind:
    """TrainJobs, where the server has them."""
    from kubernetes.client import ApisApi

    kind = trainjob()
    if kind.group not in {one.name for one in ApisApi(api).get_api_versions().groups}:
        pytest.skip("This API server has no TrainJobs. Install Kubeflow Trainer's custom resources there to try them.")
    return kind


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


def test_the_server_accepts_a_trainjob_as_it_is(api: ApiClient, namespace: str, trainer: JobKind) -> None:
    sent = job(namespace, trainer)
    made = dry_run(api, sent, trainer)
    assert made["spec"]["trainer"] == sent["spec"]["trainer"]


def _misspell_patches(sent: dict[str, Any]) -> None:
    sent["spec"]["runtimePaches"] = sent["spec"].pop("runtimePatches")


def _begin_with_a_digit(sent: dict[str, Any]) -> None:
    sent["metadata"]["name"] = "7-jobs"


@pytest.mark.parametrize(("spoil", "said"), [(_misspell_patches, "runtimePaches"), (_begin_with_a_digit, "RFC 1035")])
def test_a_wrong_trainjob_is_refused(api: ApiClient, namespace: str, trainer: JobKind, spoil: Any, said: str) -> None:
    from kubernetes.client import ApiException

    sent = job(namespace, trainer)
    spoil(sent)
    with pytest.raises(ApiException, match=said):
        dry_run(api, sent, trainer)


@pytest.fixture
def airflow(api: ApiClient, namespace: str) -> ApiClient:
    """A client that is taken for Airflow's account, which has the rights of deploy/ and no others."""
    from kubernetes.client import ApiClient, CoreV1Api, RbacAuthorizationV1Api

    account, rights = the("ServiceAccount"), RbacAuthorizationV1Api(api)
    CoreV1Api(api).create_namespaced_service_account(namespace, _moved(account, namespace))
    for folder in (".", "trainjobs"):
        rights.create_namespaced_role(namespace, _moved(the("Role", folder), namespace))
        rights.create_namespaced_role_binding(namespace, _moved(the("RoleBinding", folder), namespace))
    name = f"system:serviceaccount:{namespace}:{account['metadata']['name']}"
    return ApiClient(api.configuration, header_name="Impersonate-User", header_value=name)


def _moved(document: dict[str, Any], namespace: str) -> dict[str, Any]:
    for place in (document["metadata"], *document.get("subjects", [])):
        place["namespace"] = namespace
    return document


def allowed(api: ApiClient, namespace: str, group: str, resource: str, verb: str) -> bool:
    from kubernetes.client import AuthorizationV1Api

    name, _, subresource = resource.partition("/")
    asked = {"namespace": namespace, "group": group, "resource": name, "subresource": subresource, "verb": verb}
    review = AuthorizationV1Api(api).create_self_subject_access_review({"spec": {"resourceAttributes": asked}})
    return bool(review.status.allowed)


def test_airflow_may_do_exactly_what_the_role_says(airflow: ApiClient, namespace: str) -> None:
    verbs = ("create", "get", "list", "watch", "patch", "update", "delete", "deletecollection")
    kinds = ("pods", "pods/log", "pods/exec", "events", "secrets", "configmaps", "serviceaccounts", "services")
    resources = [
        *(("", kind) for kind in kinds),
        ("kubeflow.org", "pytorchjobs"),
        ("trainer.kubeflow.org", "trainjobs"),
    ]
    may = {
        (resource, verb)
        for group, resource in resources
        for verb in verbs
        if allowed(airflow, namespace, group, resource, verb)
    }
    rules = the("Role")["rules"] + the("Role", "trainjobs")["rules"]
    assert may == {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def run_and_cancel(api: ApiClient, namespace: str, kind: JobKind) -> None:
    """Everything that a backend asks of the server in the life of a job."""
    backend, manifest = KubeflowBackend(api, kind), job(namespace, kind)
    ref = backend.submit(manifest)
    assert (backend.find(namespace, ref.name), backend.submit(manifest)) == (ref, ref)
    assert backend.status(ref).phase is Phase.PENDING
    assert list(backend.logs(ref)) == []
    backend.troubles(ref)
    backend.cancel(ref)
    while backend.status(ref).phase is not Phase.LOST:
        time.sleep(0.1)


def test_airflow_runs_a_pytorchjob_with_these_rights(airflow: ApiClient, namespace: str) -> None:
    run_and_cancel(airflow, namespace, PYTORCHJOB)


def test_airflow_runs_a_trainjob_with_these_rights(airflow: ApiClient, namespace: str, trainer: JobKind) -> None:
    run_and_cancel(airflow, namespace, trainer)


def test_airflow_reads_no_secret(airflow: ApiClient, namespace: str) -> None:
    from kubernetes.client import ApiException, CoreV1Api

    with pytest.raises(ApiException) as raised:
        CoreV1Api(airflow).list_namespaced_secret(namespace)
    assert raised.value.status == 403
