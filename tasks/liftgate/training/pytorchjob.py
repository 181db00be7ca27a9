"""A TrainingSpec as the manifest of a Kubeflow PyTorchJob, built from the SDK's own models."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from liftgate.errors import JobRefused
from liftgate.training.backend import Manifest, TrainingSpec

if TYPE_CHECKING:
    from kubeflow.training import KubeflowOrgV1ReplicaSpec
    from kubernetes.client import V1PodSpec, V1PodTemplateSpec

API_VERSION = "kubeflow.org/v1"
KIND = "PyTorchJob"
CONTAINER = "pytorch"
"""The operator's webhook refuses a replica without a container of this name."""
MAX_NAME = 54
"""Pods and services add `-worker-0` to the name and must stay within 63."""
ANNOTATION = "liftgate.dev/"


def spec_hash(spec: TrainingSpec) -> str:
    """Hash of what the job computes; who wants it, its attempt and notes for people are left out."""
    content = {
        "image": spec.image,
        "command": spec.command,
        "args": spec.args,
        "env": dict(spec.env),
        "resources": [spec.resources.cpus, spec.resources.memory, spec.resources.gpus],
        "volumes": [[volume.claim, volume.mount_path] for volume in spec.volumes],
        "nodes": [spec.nodes, spec.procs_per_node],
        "policy": [spec.retries, spec.deadline_seconds],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def job_name(spec: TrainingSpec) -> str:
    """The name that the same task gives to the same job on every try.

    Example: slug="adapter_handbook", attempt=1 -> "adapter-handbook-3f9c2a7b10-a1"
    """
    origin = spec.origin
    identity = [origin.dag_id, origin.run_id, origin.task_id, origin.map_index, spec_hash(spec)]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:10]
    ending = f"-{digest}-a{spec.attempt}"
    slug = re.sub(r"[^a-z0-9]+", "-", spec.slug.lower()).strip("-")
    if not slug[:1].isalpha():
        slug = f"job-{slug}".rstrip("-")
    return slug[: MAX_NAME - len(ending)].rstrip("-") + ending


def render(spec: TrainingSpec) -> Manifest:
    """The manifest that every backend of this kind submits as it stands.

    One node is a Master alone: the operator gives it RANK and WORLD_SIZE, and success follows it. Restarts
    are bounded (`OnFailure` without backoffLimit would crash-loop for ever); a backoffLimit of N tolerates
    N-1 restarts.
    """
    if spec.nodes < 1:
        raise JobRefused(f"Expected a job of at least one node, found {spec.nodes}. Set nodes to 1 or more.")
    from kubeflow.training import KubeflowOrgV1PyTorchJob, KubeflowOrgV1PyTorchJobSpec, KubeflowOrgV1RunPolicy
    from kubernetes.client import ApiClient, V1ObjectMeta

    replicas = {"Master": _replica(spec, 1)}
    if spec.nodes > 1:
        replicas["Worker"] = _replica(spec, spec.nodes - 1)
    job = KubeflowOrgV1PyTorchJob(
        api_version=API_VERSION,
        kind=KIND,
        metadata=V1ObjectMeta(
            name=job_name(spec),
            namespace=spec.namespace,
            labels=dict(spec.labels) or None,
            annotations=_annotations(spec),
        ),
        spec=KubeflowOrgV1PyTorchJobSpec(
            nproc_per_node=str(spec.procs_per_node),
            pytorch_replica_specs=replicas,
            run_policy=KubeflowOrgV1RunPolicy(
                # Kept, so that the logs of a job that has ended can be read.
                clean_pod_policy="None",
                backoff_limit=spec.retries + 1 if spec.retries else None,
                active_deadline_seconds=spec.deadline_seconds,
            ),
        ),
    )
    manifest: Manifest = ApiClient().sanitize_for_serialization(job)
    return manifest


def _replica(spec: TrainingSpec, replicas: int) -> KubeflowOrgV1ReplicaSpec:
    from kubeflow.training import KubeflowOrgV1ReplicaSpec

    return KubeflowOrgV1ReplicaSpec(
        replicas=replicas,
        restart_policy="OnFailure" if spec.retries else "Never",
        template=_pod_template(spec),
    )


def _pod_template(spec: TrainingSpec) -> V1PodTemplateSpec:
    from kubernetes.client import V1ObjectMeta, V1PodTemplateSpec

    # The operator copies neither labels nor annotations of the job to its pods.
    metadata = V1ObjectMeta(labels=dict(spec.labels) or None, annotations=_annotations(spec))
    return V1PodTemplateSpec(metadata=metadata, spec=_pod(spec))


def _pod(spec: TrainingSpec) -> V1PodSpec:
    from kubernetes.client import (
        V1Container,
        V1EnvVar,
        V1PersistentVolumeClaimVolumeSource,
        V1PodSpec,
        V1ResourceRequirements,
        V1Volume,
        V1VolumeMount,
    )

    container = V1Container(
        name=CONTAINER,
        image=spec.image,
        command=list(spec.command),
        args=list(spec.args),
        env=[V1EnvVar(name=name, value=value) for name, value in sorted(spec.env.items())] or None,
        resources=V1ResourceRequirements(requests=_quantities(spec), limits=_quantities(spec)),
        volume_mounts=[V1VolumeMount(name=volume.claim, mount_path=volume.mount_path) for volume in spec.volumes],
    )
    volumes = [
        V1Volume(
            name=volume.claim,
            persistent_volume_claim=V1PersistentVolumeClaimVolumeSource(claim_name=volume.claim),
        )
        for volume in spec.volumes
    ]
    return V1PodSpec(containers=[container], volumes=volumes)


def _quantities(spec: TrainingSpec) -> dict[str, str]:
    asked = {"cpu": str(spec.resources.cpus), "memory": spec.resources.memory}
    if spec.resources.gpus:
        asked["nvidia.com/gpu"] = str(spec.resources.gpus)
    return asked


def _annotations(spec: TrainingSpec) -> dict[str, str]:
    notes: dict[str, Any] = {
        "dag-id": spec.origin.dag_id,
        "run-id": spec.origin.run_id,
        "dataset-version": spec.dataset_version,
        "release": spec.release,
        "spec-hash": spec_hash(spec),
    }
    return {f"{ANNOTATION}{name}": str(value) for name, value in notes.items() if value is not None}
