"""Jobs of Kubeflow Trainer 2.2 and newer: a TrainJob, whose pods come from a training runtime of the cluster.

The runtime owns what a PyTorchJob says itself: how often a broken node is started again, and whether its pods get a
token of the API server. `JobSpec.retries` does nothing here; backoffLimit of the runtime's job does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from liftgate.jobs.backend import JobState, Manifest, Phase
from liftgate.jobs.identity import pod_patches
from liftgate.jobs.kubeflow import JobKind
from liftgate.jobs.pytorchjob import notes, quantities
from liftgate.jobs.rules import check_name, refuse_if
from liftgate.jobs.security import container_security, pod_security
from liftgate.jobs.spec import JobSpec

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

GROUP, VERSION, PLURAL, KIND = "trainer.kubeflow.org", "v1alpha1", "trainjobs", "TrainJob"
RUNTIME = "torch-distributed"
"""The runtime that comes with Trainer."""
NODE = "node"
"""The name of the runtime's job that trains, and of its container."""
_NUMBER = "batch.kubernetes.io/job-completion-index"
_SLUG = 27
"""Leaves room in a pod's name for the hash, the attempt, and the number of one node of a thousand."""
_OF_THE_POD = (
    *("affinity", "imagePullSecrets", "nodeSelector", "schedulingGates", "securityContext", "serviceAccountName"),
    *("terminationGracePeriodSeconds", "tolerations"),
)
"""All of a pod's spec that a TrainJob may set beside its containers and volumes."""
_OF_TORCHRUN = ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT")
_PHASES = {"Complete": Phase.SUCCEEDED, "Failed": Phase.FAILED, "Suspended": Phase.SUSPENDED}
Object = dict[str, Any]


def render(spec: JobSpec, runtime: str = RUNTIME) -> Manifest:
    """The manifest of the job, without what makes it one attempt of one task (see identity.identified).

    Several processes are started by torchrun, which reads what Trainer tells each node about the others; a PyTorchJob's
    RANK and WORLD_SIZE do not exist here.
    """
    _check_expressible(spec)
    metadata = {"name": spec.slug[:_SLUG], "namespace": spec.namespace, "labels": dict(spec.labels)}
    found: Object = {
        "runtimeRef": {"apiGroup": GROUP, "kind": "ClusterTrainingRuntime", "name": runtime},
        "trainer": _trainer(spec),
        "runtimePatches": [_patch(spec)],
    }
    if spec.deadline_seconds:
        found["activeDeadlineSeconds"] = spec.deadline_seconds
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {**metadata, "annotations": notes(spec)},
        "spec": found,
    }


def _check_expressible(spec: JobSpec) -> None:
    refuse_if(spec.nodes < 1, "a job of at least one node", str(spec.nodes), "Set nodes to 1 or more.")
    refuse_if(
        spec.env_secret is not None,
        "no secret as the environment of a TrainJob",
        str(spec.env_secret),
        "Name it in envFrom of the runtime's container, or use a PyTorchJob.",
    )
    others = sorted(set(spec.pod) - set(_OF_THE_POD))
    refuse_if(
        bool(others),
        f"only {', '.join(_OF_THE_POD)} for the pods of a TrainJob",
        ", ".join(others),
        "Set the others in the runtime.",
    )


def _trainer(spec: JobSpec) -> Object:
    return {
        "image": spec.image,
        "command": spec.under_torchrun() if spec.nodes * spec.procs_per_node > 1 else list(spec.command),
        "args": list(spec.args),
        "env": [{"name": name, "value": value} for name, value in sorted(spec.env.items())],
        "numNodes": spec.nodes,
        "numProcPerNode": spec.procs_per_node,
        "resourcesPerNode": {"requests": quantities(spec.resources), "limits": quantities(spec.resources)},
    }


def _patch(spec: JobSpec) -> Object:
    """What the runtime's pods get from this job: its claims, its rights, and whatever else a team asked for."""
    container = {
        "name": NODE,
        "volumeMounts": [{"name": volume.claim, "mountPath": volume.mount_path} for volume in spec.volumes],
        "securityContext": container_security(),
    }
    volumes = [{"name": volume.claim, "persistentVolumeClaim": {"claimName": volume.claim}} for volume in spec.volumes]
    pod = {
        "metadata": {"labels": dict(spec.labels), "annotations": notes(spec)},
        "spec": {"containers": [container], "volumes": volumes, "securityContext": pod_security(), **spec.pod},
    }
    jobs = [{"name": NODE, "template": {"spec": {"template": pod}}}]
    return {"manager": "liftgate.dev/job", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": jobs}}}}


def check(manifest: Manifest) -> None:
    """Raises JobRefused where Trainer's webhook would refuse the job, or leave out a part of it without a word."""
    refuse_if(
        manifest.get("apiVersion") != f"{GROUP}/{VERSION}" or manifest.get("kind") != KIND,
        f"a {KIND} of {GROUP}/{VERSION}",
        f"{manifest.get('kind')} of {manifest.get('apiVersion')}",
        "Hand in a TrainJob.",
    )
    spec = manifest.get("spec") or {}
    trainer = spec.get("trainer") or {}
    nodes = trainer.get("numNodes") or 1
    # Its pods are called <name>-node-0-<number>-<five letters>.
    check_name((manifest.get("metadata") or {}).get("name") or "", 63 - len(f"-{NODE}-0-{nodes - 1}-abcde"))
    refuse_if(not (spec.get("runtimeRef") or {}).get("name"), "a runtime", "none", "Name it in spec.runtimeRef.name.")
    older = sorted({"podSpecOverrides", "podTemplateOverrides"} & set(spec))
    refuse_if(
        bool(older),
        "runtimePatches",
        ", ".join(older),
        "Trainer leaves these out since 2.2: write them as runtimePatches.",
    )
    _check_variables(trainer)
    for patch in spec.get("runtimePatches") or []:
        _check_patch(patch)


def _check_variables(trainer: Object) -> None:
    names = sorted({one.get("name") for one in trainer.get("env") or []} & set(_OF_TORCHRUN))
    refuse_if(bool(names), "torchrun's variables to be left to Trainer", ", ".join(names), "Remove them from env.")


def _check_patch(patch: Object) -> None:
    manager = str(patch.get("manager") or "")
    domain, _, path = manager.partition("/")
    refuse_if(
        not domain or not path,
        "a manager such as example.com/team in every runtime patch",
        repr(manager),
        "Say who wrote the patch.",
    )
    for pod in pod_patches({"runtimePatches": [patch]}):
        for container in (pod.get("spec") or {}).get("containers") or []:
            refuse_if(
                container.get("name") == NODE and bool(container.get("env")),
                f"no env for the container {NODE!r} in a runtime patch",
                "some",
                "Write it in spec.trainer.env.",
            )


def state_of(status: Object | None) -> JobState:
    """Where a TrainJob with this `status` stands. Running is no condition there: it shows in the jobs below it.

    Example: conditions [Suspended (False)], jobsStatus [node, ready 1] -> RUNNING; neither -> PENDING
    """
    status = status or {}
    holding = {one["type"]: one for one in status.get("conditions") or [] if one.get("status", "True") == "True"}
    for kind, phase in _PHASES.items():
        if kind in holding:
            return JobState(phase, holding[kind].get("reason") or "", holding[kind].get("message") or "")
    nodes = [one for one in status.get("jobsStatus") or [] if one.get("name") == NODE]
    # `active` counts pods that wait for a node as well.
    started = any(one.get("ready") or one.get("succeeded") or one.get("failed") for one in nodes)
    return JobState(Phase.RUNNING if started else Phase.PENDING)


def create(api: ApiClient, manifest: Manifest, namespace: str) -> None:
    """Submits as it is: the SDK of Trainer makes jobs of its own kind of specification only."""
    from kubernetes.client import CustomObjectsApi

    CustomObjectsApi(api).create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, manifest)


def own_pods(pods: Iterable[Object], uid: str) -> list[Object]:
    """The pods in the order of their nodes. No pod says the uid of its TrainJob: the label with its name has to do."""
    return sorted(pods, key=lambda pod: int(pod["metadata"]["labels"].get(_NUMBER, 0)))


def trainjob(runtime: str = RUNTIME) -> JobKind:
    """TrainJobs of this runtime, for KubeflowBackend."""
    return JobKind(
        kind=KIND,
        group=GROUP,
        version=VERSION,
        plural=PLURAL,
        render=partial(render, runtime=runtime),
        check=check,
        create=create,
        state_of=state_of,
        container=NODE,
        pods_selector=f"jobset.sigs.k8s.io/jobset-name={{name}},jobset.sigs.k8s.io/replicatedjob-name={NODE}",
        own_pods=own_pods,
    )
