"""Runs jobs on a Kubernetes cluster by Kubeflow's operators.

Written through the training SDK, read as plain JSON: the SDK's own reading breaks with newer Kubernetes clients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from liftgate.errors import ClusterUnavailable, JobLost, JobRefused
from liftgate.jobs import conditions, pods, pytorchjob, rules
from liftgate.jobs.api import ask
from liftgate.jobs.api_errors import EXISTS, MISSING, NOT_YET
from liftgate.jobs.backend import JobRef, JobState, Manifest, Phase
from liftgate.jobs.identity import SPEC_HASH
from liftgate.jobs.spec import JobSpec

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, CoreV1Api

LAST_LINES = 20
"""Lines of each failed pod that a report quotes."""


@dataclass(frozen=True)
class JobKind:
    """What differs between kinds of jobs."""

    kind: str
    group: str
    version: str
    plural: str
    render: Callable[[JobSpec], Manifest]
    check: Callable[[Manifest], None]
    create: Callable[[ApiClient, Manifest, str], None]
    state_of: Callable[[dict[str, Any] | None], JobState]
    container: str
    """The one whose log is the job's."""
    pods_selector: str
    """Label selector of the job's pods, with {name}."""
    own_pods: Callable[[Iterable[dict[str, Any]], str], list[dict[str, Any]]]
    """Of the pods found, those of the job with this uid, the first one first."""


def create_pytorchjob(api: ApiClient, manifest: Manifest, namespace: str) -> None:
    """Submits through the SDK. It takes models only, and namespace and time-outs from elsewhere than the manifest."""
    from kubeflow.training import KubeflowOrgV1PyTorchJob, TrainingClient
    from kubernetes.client import CustomObjectsApi, V1ObjectMeta

    metadata = manifest["metadata"]
    job = KubeflowOrgV1PyTorchJob(
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        metadata=V1ObjectMeta(
            name=metadata["name"],
            namespace=namespace,
            labels=metadata.get("labels"),
            annotations=metadata.get("annotations"),
        ),
        spec=manifest["spec"],
    )
    client = TrainingClient(client_configuration=api.configuration)
    client.custom_api = CustomObjectsApi(api)
    client.create_job(job=job, namespace=namespace)


PYTORCHJOB = JobKind(
    kind=rules.KIND,
    group="kubeflow.org",
    version="v1",
    plural="pytorchjobs",
    render=pytorchjob.render,
    check=rules.check,
    create=create_pytorchjob,
    state_of=conditions.state_of,
    container=rules.CONTAINER,
    pods_selector=f"{pods.JOB_NAME}={{name}}",
    own_pods=pods.of_job,
)


class KubeflowBackend:
    """Jobs of a cluster, through an API client that has time-outs."""

    def __init__(self, api: ApiClient, kind: JobKind = PYTORCHJOB):
        self._api = api
        self._kind = kind

    def render(self, spec: JobSpec) -> Manifest:
        """The manifest of the job; what makes it one attempt is added by attempts.attach."""
        return self._kind.render(spec)

    def submit(self, manifest: Manifest) -> JobRef:
        """Makes the job, or adopts the one of this name if it has the same specification. Raises JobRefused."""
        self._kind.check(manifest)
        namespace, name = manifest["metadata"].get("namespace") or "default", manifest["metadata"]["name"]
        exists = ask(
            "create",
            self._what(namespace),
            lambda: self._kind.create(self._api, manifest, namespace),
            or_else={EXISTS: True},
        )
        found = self._get(namespace, name)
        if found is None:
            raise JobLost(f"Expected {name} in namespace {namespace} right after it was made, found none.")
        if exists:
            _check_same(found, manifest)
        return JobRef(self._kind.kind, namespace, name, found["metadata"]["uid"], adopted=bool(exists))

    def find(self, namespace: str, name: str) -> JobRef | None:
        """The job of this name, whoever made it."""
        found = self._get(namespace, name)
        return JobRef(self._kind.kind, namespace, name, found["metadata"]["uid"]) if found else None

    def status(self, ref: JobRef) -> JobState:
        """The job's newest condition; LOST when it is gone, or its name is another job's."""
        return state_of_found(self._kind, self._get(ref.namespace, ref.name), ref.uid)

    def logs(self, ref: JobRef) -> Iterator[str]:
        """Lines of the Master, or of the first Worker, so far."""
        for pod in self._pods(ref)[:1]:
            yield from self._log(pod)

    def troubles(self, ref: JobRef) -> list[pods.PodReport]:
        """The job's pods that are in trouble, each with why, what to do, and its last lines.

        What may not be read, or is not answered, is left out: the job's end has to be told all the same.
        """
        found = _or_nothing(self._pods, ref)
        reports = [self._report(pod) for pod in found]
        return [report for report in reports if report] or ([] if found else self._trouble_without_pods(ref))

    def _report(self, pod: dict[str, Any]) -> pods.PodReport | None:
        trouble = pods.trouble_of(pod, _or_nothing(self._events, pod))
        if trouble is None:
            return None
        lines = tuple(_or_nothing(self._log, pod, LAST_LINES))
        return pods.PodReport(pod["metadata"]["name"], trouble, lines, pods.exit_code_of(pod, self._kind.container))

    def _trouble_without_pods(self, ref: JobRef) -> list[pods.PodReport]:
        """A quota, or a rule of the namespace, that lets no pod be made is told in the events of the job."""
        owner = {"metadata": {"uid": ref.uid, "namespace": ref.namespace}}
        trouble = pods.trouble_of({"status": {}}, _or_nothing(self._events, owner))
        return [pods.PodReport(ref.name, trouble)] if trouble else []

    def cancel(self, ref: JobRef) -> None:
        """Deletes the job after its pods. One that is gone, or is another one by now, is left alone."""
        from kubernetes.client import CustomObjectsApi

        body = {"propagationPolicy": "Foreground", "preconditions": {"uid": ref.uid}}
        delete = CustomObjectsApi(self._api).delete_namespaced_custom_object
        ask(
            "delete",
            self._what(ref.namespace),
            lambda: delete(*self._address(ref.namespace), ref.name, body=body),
            or_else={MISSING: None, EXISTS: None},
        )

    def _what(self, namespace: str) -> str:
        return f"{self._kind.plural} in namespace {namespace}"

    def _address(self, namespace: str) -> tuple[str, str, str, str]:
        return self._kind.group, self._kind.version, namespace, self._kind.plural

    def _get(self, namespace: str, name: str) -> dict[str, Any] | None:
        from kubernetes.client import CustomObjectsApi

        get = CustomObjectsApi(self._api).get_namespaced_custom_object
        found: dict[str, Any] | None = ask(
            "get", self._what(namespace), lambda: get(*self._address(namespace), name), or_else={MISSING: None}
        )
        return found

    def _pods(self, ref: JobRef) -> list[dict[str, Any]]:
        core = self._core()
        selector = self._kind.pods_selector.format(name=ref.name)
        read = ask(
            "list",
            f"pods in namespace {ref.namespace}",
            lambda: core.list_namespaced_pod(ref.namespace, label_selector=selector, _preload_content=False).data,
        )
        return self._kind.own_pods(json.loads(read)["items"], ref.uid)

    def _log(self, pod: dict[str, Any], tail_lines: int | None = None) -> list[str]:
        """Lines of a pod's log. There is none yet, or no more, where the server says 400 or 404."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        options: dict[str, Any] = {"tail_lines": tail_lines} if tail_lines else {}
        core = self._core()
        read: bytes = ask(
            "get",
            f"pods/log in namespace {namespace}",
            lambda: (
                core.read_namespaced_pod_log(
                    name, namespace, container=self._kind.container, _preload_content=False, **options
                ).data
            ),
            or_else={MISSING: b"", NOT_YET: b""},
        )
        return read.decode(errors="replace").splitlines()

    def _events(self, pod: dict[str, Any]) -> list[dict[str, Any]]:
        core = self._core()
        selector = f"involvedObject.uid={pod['metadata']['uid']}"
        namespace = pod["metadata"]["namespace"]
        read = ask(
            "list",
            f"events in namespace {namespace}",
            lambda: core.list_namespaced_event(namespace, field_selector=selector, _preload_content=False).data,
        )
        found: list[dict[str, Any]] = json.loads(read)["items"]
        return found

    def _core(self) -> CoreV1Api:
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self._api)


def _or_nothing(read: Callable[..., Any], *given: Any) -> list[Any]:
    try:
        found: list[Any] = read(*given)
    except (JobRefused, ClusterUnavailable) as error:
        print(error)
        return []
    return found


def state_of_found(kind: JobKind, found: dict[str, Any] | None, uid: str) -> JobState:
    """Where a job stands by what the server has under its name."""
    if found is None:
        return JobState(Phase.LOST, f"{kind.kind}Gone", "there is no such job any more")
    if found["metadata"]["uid"] != uid:
        return JobState(Phase.LOST, f"{kind.kind}Replaced", f"{found['metadata']['name']} is another job now")
    return replace(kind.state_of(found.get("status")), deleting="deletionTimestamp" in found["metadata"])


def _check_same(found: dict[str, Any], manifest: Manifest) -> None:
    theirs = (found["metadata"].get("annotations") or {}).get(SPEC_HASH)
    ours = manifest["metadata"]["annotations"][SPEC_HASH]
    if theirs != ours:
        name, namespace = found["metadata"]["name"], found["metadata"].get("namespace")
        raise JobRefused(
            f"Expected no job {name} in namespace {namespace} with another specification, found one made "
            f"{found['metadata'].get('creationTimestamp')} ({theirs or 'not by Liftgate'}). Delete it, or give this "
            "one another name."
        )
