"""What makes a job the same one: the task that wants it, what it computes, and the number of the attempt."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from liftgate.jobs.backend import Manifest
from liftgate.jobs.spec import Origin

ANNOTATION = "liftgate.dev/"
SPEC_HASH = f"{ANNOTATION}spec-hash"
JOB_VARIABLE = "LIFTGATE_JOB"
"""Tells the trainer which attempt it is, as "namespace/name"; it writes that into the manifest of its result."""
MAX_NAME = 54
"""Pods and services add `-worker-0` to the name and must stay within 63."""


def spec_hash(manifest: Manifest) -> str:
    """Hash of what the job computes. Names, labels and annotations, also those of its pods, are left out."""
    spec = deepcopy(manifest.get("spec") or {})
    for template in _templates(spec):
        template.pop("metadata", None)
    return hashlib.sha256(json.dumps([manifest.get("kind"), spec], sort_keys=True).encode()).hexdigest()


def job_name(manifest: Manifest, origin: Origin, attempt: int) -> str:
    """The name that the same task gives to the same job on every try.

    Example: metadata.name "adapter_handbook", attempt 1 -> "adapter-handbook-3f9c2a7b10-a1"
    """
    identity = [origin.dag_id, origin.run_id, origin.task_id, origin.map_index, spec_hash(manifest)]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:10]
    ending = f"-{digest}-a{attempt}"
    slug = re.sub(r"[^a-z0-9]+", "-", _given_name(manifest).lower()).strip("-")
    if not slug[:1].isalpha():
        slug = f"job-{slug}".rstrip("-")
    return slug[: MAX_NAME - len(ending)].rstrip("-") + ending


def identified(manifest: Manifest, origin: Origin, attempt: int) -> Manifest:
    """The manifest of one attempt: named, annotated with who wants it, its pods told who they are."""
    made = deepcopy(manifest)
    metadata = made["metadata"] = made.get("metadata") or {}
    notes = {
        f"{ANNOTATION}dag-id": origin.dag_id,
        f"{ANNOTATION}run-id": origin.run_id,
        f"{ANNOTATION}task-id": origin.task_id,
        f"{ANNOTATION}map-index": str(origin.map_index),
        SPEC_HASH: spec_hash(manifest),
    }
    metadata["name"] = job_name(manifest, origin, attempt)
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **notes}
    for template in _templates(made.get("spec") or {}):
        # The operator copies neither labels nor annotations of the job to its pods.
        pod = template.setdefault("metadata", {})
        pod["annotations"] = {**(pod.get("annotations") or {}), **metadata["annotations"]}
    value = f"{metadata.get('namespace') or 'default'}/{metadata['name']}"
    for holder in _variable_holders(made.get("spec") or {}):
        others = [one for one in holder.get("env") or [] if one.get("name") != JOB_VARIABLE]
        holder["env"] = [*others, {"name": JOB_VARIABLE, "value": value}]
    return made


def _given_name(manifest: Manifest) -> str:
    metadata = manifest.get("metadata") or {}
    return str(metadata.get("name") or metadata.get("generateName") or "job")


def pod_patches(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a TrainJob changes of its runtime's pod templates."""
    for patch in spec.get("runtimePatches") or []:
        for job in _within(patch, "trainingRuntimeSpec", "template", "spec").get("replicatedJobs") or []:
            yield _within(job, "template", "spec", "template")


def _within(found: dict[str, Any], *steps: str) -> dict[str, Any]:
    for step in steps:
        found = found.get(step) or {}
    return found


def _templates(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pod templates of a PyTorchJob, and what a TrainJob has in their place."""
    yield from _replica_templates(spec)
    yield from pod_patches(spec)


def _replica_templates(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for replica in (spec.get("pytorchReplicaSpecs") or {}).values():
        if isinstance(replica, dict) and isinstance(replica.get("template"), dict):
            yield replica["template"]


def _variable_holders(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for template in _replica_templates(spec):
        yield from (template.get("spec") or {}).get("containers") or []
    if isinstance(spec.get("trainer"), dict):
        yield spec["trainer"]
