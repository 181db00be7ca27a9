"""A JobSpec as the manifest of a Kubeflow PyTorchJob, built from the SDK's own models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.errors import JobRefused
from liftgate.jobs.backend import Manifest
from liftgate.jobs.identity import ANNOTATION
from liftgate.jobs.rules import API_VERSION, CONTAINER, KIND
from liftgate.jobs.security import container_security, pod_security
from liftgate.jobs.spec import JobSpec, Resources

if TYPE_CHECKING:
    from kubeflow.training import KubeflowOrgV1ReplicaSpec
    from kubernetes.client import V1PodSpec, V1PodTemplateSpec

KEPT_SECONDS = 7 * 24 * 3600
"""A job that has ended stays so long, with its pods and their logs; then the operator removes it."""


def render(spec: JobSpec) -> Manifest:
    """The manifest of the job, without what makes it one attempt of one task (see identity.identified).

    One node is a Master alone: the operator gives it RANK and WORLD_SIZE, and success follows it. Restarts
    are bounded (`OnFailure` without backoffLimit would crash-loop for ever); a backoffLimit of N tolerates
    N-1 restarts.
    """
    if spec.nodes < 1:
        raise JobRefused(f"Expected a job of at least one node, found {spec.nodes}. Set nodes to 1 or more.")
    own = sorted({"containers", "volumes"} & set(spec.pod))
    if own:
        raise JobRefused(f"Expected `pod` to leave the job's containers and volumes alone, found {own}. Remove them.")
    from kubeflow.training import KubeflowOrgV1PyTorchJob, KubeflowOrgV1PyTorchJobSpec, KubeflowOrgV1RunPolicy
    from kubernetes.client import ApiClient, V1ObjectMeta

    replicas = {"Master": _replica(spec, 1)}
    if spec.nodes > 1:
        replicas["Worker"] = _replica(spec, spec.nodes - 1)
    job = KubeflowOrgV1PyTorchJob(
        api_version=API_VERSION,
        kind=KIND,
        metadata=V1ObjectMeta(
            name=spec.slug,
            namespace=spec.namespace,
            labels=dict(spec.labels) or None,
            annotations=notes(spec),
        ),
        spec=KubeflowOrgV1PyTorchJobSpec(
            nproc_per_node=str(spec.procs_per_node),
            pytorch_replica_specs=replicas,
            run_policy=KubeflowOrgV1RunPolicy(
                # Pods that have ended stay with their logs; one that still runs would hold its GPU for nothing.
                clean_pod_policy="Running",
                ttl_seconds_after_finished=KEPT_SECONDS,
                backoff_limit=spec.retries + 1 if spec.retries else None,
                active_deadline_seconds=spec.deadline_seconds,
            ),
        ),
    )
    manifest: Manifest = ApiClient().sanitize_for_serialization(job)
    for replica in manifest["spec"]["pytorchReplicaSpecs"].values():
        replica["template"]["spec"] |= dict(spec.pod)
    return manifest


def _replica(spec: JobSpec, replicas: int) -> KubeflowOrgV1ReplicaSpec:
    from kubeflow.training import KubeflowOrgV1ReplicaSpec

    return KubeflowOrgV1ReplicaSpec(
        replicas=replicas,
        restart_policy="OnFailure" if spec.retries else "Never",
        template=_pod_template(spec),
    )


def _pod_template(spec: JobSpec) -> V1PodTemplateSpec:
    from kubernetes.client import V1ObjectMeta, V1PodTemplateSpec

    # The operator copies none of the job's labels to its pods.
    metadata = V1ObjectMeta(labels=dict(spec.labels) or None)
    return V1PodTemplateSpec(metadata=metadata, spec=_pod(spec))


def _pod(spec: JobSpec) -> V1PodSpec:
    from kubernetes.client import (
        V1Container,
        V1EnvFromSource,
        V1EnvVar,
        V1PersistentVolumeClaimVolumeSource,
        V1PodSpec,
        V1ResourceRequirements,
        V1SecretEnvSource,
        V1Volume,
        V1VolumeMount,
    )

    container = V1Container(
        name=CONTAINER,
        image=spec.image,
        # The operator tells a node its place, but not a node's processes theirs.
        command=spec.under_torchrun() if spec.procs_per_node > 1 else list(spec.command),
        args=list(spec.args),
        env=[V1EnvVar(name=name, value=value) for name, value in sorted(spec.env.items())] or None,
        env_from=[V1EnvFromSource(secret_ref=V1SecretEnvSource(name=spec.env_secret))] if spec.env_secret else None,
        resources=V1ResourceRequirements(requests=quantities(spec.resources), limits=quantities(spec.resources)),
        volume_mounts=[V1VolumeMount(name=volume.claim, mount_path=volume.mount_path) for volume in spec.volumes],
        security_context=container_security(),
    )
    volumes = [
        V1Volume(
            name=volume.claim,
            persistent_volume_claim=V1PersistentVolumeClaimVolumeSource(claim_name=volume.claim),
        )
        for volume in spec.volumes
    ]
    return V1PodSpec(
        containers=[container],
        volumes=volumes,
        security_context=pod_security(),
        # A job asks nothing of the API server.
        automount_service_account_token=False,
    )


def quantities(resources: Resources) -> dict[str, str]:
    """Requests, and limits, in Kubernetes' words."""
    asked = {"cpu": str(resources.cpus), "memory": resources.memory}
    if resources.gpus:
        asked["nvidia.com/gpu"] = str(resources.gpus)
    return asked


def notes(spec: JobSpec) -> dict[str, str]:
    """What a job of any kind says to people about its data."""
    found = {"dataset-version": spec.dataset_version, "release": spec.release}
    return {f"{ANNOTATION}{name}": str(value) for name, value in found.items() if value is not None}
