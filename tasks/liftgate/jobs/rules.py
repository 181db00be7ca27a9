"""What the training operator's webhook refuses of a PyTorchJob, and what it takes but nobody wants.

Checked before anything is submitted, on this machine and for a cluster alike: a refusal that names the remedy is worth
more than the webhook's, and a cluster whose webhook is off would leave such a job without a word.
"""

from __future__ import annotations

import re
from typing import Any

from liftgate.errors import JobRefused
from liftgate.jobs.backend import Manifest
from liftgate.jobs.identity import MAX_NAME

API_VERSION = "kubeflow.org/v1"
KIND = "PyTorchJob"
CONTAINER = "pytorch"
"""The operator's webhook refuses a replica without a container of this name."""
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def check(manifest: Manifest) -> None:
    """Raises JobRefused where the operator would refuse the job, or restart it for ever."""
    refuse_if(
        manifest.get("apiVersion") != API_VERSION or manifest.get("kind") != KIND,
        f"a {KIND} of {API_VERSION}",
        f"{manifest.get('kind')} of {manifest.get('apiVersion')}",
        "Hand in a PyTorchJob.",
    )
    check_name((manifest.get("metadata") or {}).get("name") or "")
    spec = manifest.get("spec") or {}
    kinds = replica_kinds(spec)
    for kind, replica in kinds.items():
        _check_containers(((replica.get("template") or {}).get("spec") or {}).get("containers") or [], kind)
    _check_restarts(kinds, spec.get("runPolicy") or {})


def refuse_if(condition: bool, expected: str, found: str, remedy: str) -> None:
    """Raises JobRefused in the words of every error."""
    if condition:
        raise JobRefused(f"Expected {expected}, found {found}. {remedy}")


def replica_kinds(spec: dict[str, Any]) -> dict[str, Any]:
    """{"Master": ..., "Worker": ...}, the Master first."""
    specs = spec.get("pytorchReplicaSpecs") or {}
    unknown = sorted(set(specs) - {"Master", "Worker"})
    refuse_if(
        not specs or bool(unknown),
        "replicas of the types Master and Worker",
        str(unknown or "none"),
        "Name them in pytorchReplicaSpecs.",
    )
    masters = (specs.get("Master") or {}).get("replicas", 1)
    refuse_if(masters != 1, "one Master", str(masters), "Use Worker replicas for the others.")
    return {kind: specs[kind] or {} for kind in ("Master", "Worker") if kind in specs}


def check_name(name: str, longest: int = MAX_NAME) -> None:
    """Raises JobRefused where the names of the job's pods would not be legal."""
    refuse_if(
        _DNS_1035.fullmatch(name) is None or len(name) > longest,
        f"a job name of at most {longest} lower-case letters, digits and dashes that starts with a letter",
        f"{name!r} ({len(name)} characters)",
        "Shorten or rename it.",
    )


def _check_containers(containers: list[dict[str, Any]], kind: str) -> None:
    names = [container.get("name") for container in containers]
    refuse_if(
        CONTAINER not in names,
        f"a container named {CONTAINER!r} in replica {kind}",
        ", ".join(map(repr, names)) or "no container",
        f"Rename the training container to {CONTAINER!r}: the operator's webhook refuses any other name.",
    )
    without = [str(container.get("name")) for container in containers if not container.get("image")]
    refuse_if(bool(without), f"an image in replica {kind}", f"none in {', '.join(without)}", "Name one.")


def _check_restarts(kinds: dict[str, Any], policy: dict[str, Any]) -> None:
    # OnFailure is what the operator takes where none is given.
    policies = {replica.get("restartPolicy") or "OnFailure" for replica in kinds.values()}
    refuse_if(
        bool(policies & {"OnFailure", "Always"}) and policy.get("backoffLimit") is None,
        "runPolicy.backoffLimit with restartPolicy OnFailure or Always",
        "none: the operator would restart a broken replica for ever while the job reads Running",
        "Set backoffLimit (N tolerates N-1 restarts) or restartPolicy: Never.",
    )
