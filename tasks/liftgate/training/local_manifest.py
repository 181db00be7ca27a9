"""What the training operator's webhook and defaults make of a PyTorchJob, and what one machine can run of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liftgate.errors import JobRefused
from liftgate.training.backend import Manifest
from liftgate.training.pytorchjob import API_VERSION, CONTAINER, KIND, MAX_NAME

_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Replica:
    """One process to run, with its place among the others."""

    kind: str
    """Master or Worker."""
    index: int
    rank: int
    command: tuple[str, ...]
    env: Mapping[str, str]
    """As the manifest writes it; the operator's own variables are added at start."""
    restart_policy: str
    notes: tuple[str, ...] = ()
    """What was done differently from a cluster; written at the top of the replica's log."""

    @property
    def name(self) -> str:
        """Example: master-0"""
        return f"{self.kind.lower()}-{self.index}"


@dataclass(frozen=True)
class LocalJob:
    """A checked PyTorchJob, with the operator's defaults filled in."""

    name: str
    namespace: str
    replicas: tuple[Replica, ...]
    procs_per_node: int
    backoff_limit: int | None
    deadline_seconds: float | None
    grace_seconds: float

    @property
    def has_master(self) -> bool:
        """With a Master, success follows it alone, and every replica gets RANK and WORLD_SIZE."""
        return self.replicas[0].kind == "Master"


def read(manifest: Manifest, claims: Mapping[str, Path], ignore_gpus: bool) -> LocalJob:
    """The job that a manifest describes. Raises JobRefused where the operator would, or where we cannot run it."""
    _refuse(
        manifest.get("apiVersion") != API_VERSION or manifest.get("kind") != KIND,
        f"a {KIND} of {API_VERSION}",
        f"{manifest.get('kind')} of {manifest.get('apiVersion')}",
        "Hand in a PyTorchJob.",
    )
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    policy = spec.get("runPolicy") or {}
    _check_name(metadata.get("name") or "")
    _refuse(bool(spec.get("elasticPolicy")), "no elasticPolicy", "one", "The local backend runs fixed replicas.")
    _refuse(bool(policy.get("suspend")), "a job that may start", "suspend: true", "Remove it.")
    kinds = _kinds(spec.get("pytorchReplicaSpecs") or {})
    replicas = _replicas(kinds, claims, ignore_gpus)
    restarts_for_ever = any(replica.restart_policy in ("OnFailure", "Always") for replica in replicas)
    _refuse(
        restarts_for_ever and policy.get("backoffLimit") is None,
        "runPolicy.backoffLimit with restartPolicy OnFailure or Always",
        "none: the operator would restart a broken replica for ever while the job reads Running",
        "Set backoffLimit (N tolerates N-1 restarts) or restartPolicy: Never.",
    )
    pod = next(iter(kinds.values()))["template"]["spec"]
    return LocalJob(
        name=metadata["name"],
        namespace=metadata.get("namespace") or "default",
        replicas=replicas,
        procs_per_node=_procs_per_node(spec),
        backoff_limit=policy.get("backoffLimit"),
        deadline_seconds=policy.get("activeDeadlineSeconds"),
        grace_seconds=pod.get("terminationGracePeriodSeconds", 30),
    )


def _refuse(condition: bool, expected: str, found: str, remedy: str) -> None:
    if condition:
        raise JobRefused(f"Expected {expected}, found {found}. {remedy}")


def _check_name(name: str) -> None:
    fits = _DNS_1035.fullmatch(name) is not None and len(name) <= MAX_NAME
    _refuse(
        not fits,
        f"a job name of at most {MAX_NAME} lower-case letters, digits and dashes that starts with a letter",
        f"{name!r} ({len(name)} characters)",
        "Shorten or rename it.",
    )


def _kinds(specs: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(specs) - {"Master", "Worker"})
    _refuse(
        not specs or bool(unknown),
        "replicas of the types Master and Worker",
        str(unknown or "none"),
        "Name them in pytorchReplicaSpecs.",
    )
    masters = specs.get("Master", {}).get("replicas", 1)
    _refuse(masters != 1, "one Master", str(masters), "Use Worker replicas for the others.")
    return {kind: specs[kind] for kind in ("Master", "Worker") if kind in specs}


def _replicas(kinds: dict[str, Any], claims: Mapping[str, Path], ignore_gpus: bool) -> tuple[Replica, ...]:
    replicas: list[Replica] = []
    for kind, spec in kinds.items():
        pod = (spec.get("template") or {}).get("spec") or {}
        container = _container(pod, kind)
        notes = [*_note_gpus(container, ignore_gpus)]
        folders = _mounted(container, pod, claims)
        notes += [f"{path} is {folder}" for path, folder in folders.items()]
        command = [*container.get("command", ()), *container.get("args", ())]
        _refuse(
            not command,
            f"a command in container {CONTAINER}",
            "none",
            "Write it: an image's own entry point cannot be run here.",
        )
        for index in range(spec.get("replicas", 1)):
            env = {name: _local_path(value, folders) for name, value in _env(container).items()}
            words = tuple(_local_word(word, env, folders) for word in command)
            policy = spec.get("restartPolicy") or "OnFailure"
            words = (_executable(words[0]), *words[1:])
            replicas.append(Replica(kind, index, len(replicas), words, env, policy, tuple(notes)))
    return tuple(replicas)


def _container(pod: dict[str, Any], kind: str) -> dict[str, Any]:
    _refuse(
        bool(pod.get("initContainers")),
        "no init containers",
        "some",
        "The local backend runs one process for each replica.",
    )
    containers = pod.get("containers") or []
    names = [container.get("name") for container in containers]
    _refuse(
        CONTAINER not in names,
        f"a container named {CONTAINER!r} in replica {kind}",
        ", ".join(map(repr, names)) or "no container",
        f"Rename the training container to {CONTAINER!r}: the operator's webhook refuses any other name.",
    )
    _refuse(len(names) > 1, f"the container {CONTAINER} alone", ", ".join(names), "The local backend runs no sidecars.")
    _refuse(not containers[0].get("image"), f"an image in replica {kind}", "none", "Name one.")
    container: dict[str, Any] = containers[0]
    return container


def _note_gpus(container: dict[str, Any], ignore_gpus: bool) -> list[str]:
    asked = ((container.get("resources") or {}).get("limits") or {}).get(_GPU)
    if not asked or str(asked) == "0":
        return []
    _refuse(not ignore_gpus, "a job without GPUs", f"{_GPU}: {asked}", "Set resources.gpus to 0, or use a cluster.")
    return [f"{_GPU}: {asked} is ignored, this job runs on the machine's own cores"]


def _mounted(container: dict[str, Any], pod: dict[str, Any], claims: Mapping[str, Path]) -> dict[str, Path]:
    """{mount path: folder of this machine}, longest path first."""
    sources = {volume["name"]: volume for volume in pod.get("volumes") or []}
    folders = {}
    for mount in container.get("volumeMounts") or []:
        claim = (sources.get(mount["name"], {}).get("persistentVolumeClaim") or {}).get("claimName") or ""
        _refuse(
            claim not in claims,
            f"every mount to be one of the claims {sorted(claims)}",
            f"{mount['name']} at {mount['mountPath']} ({claim or 'no claim'})",
            "Map the claim to a folder in the local backend.",
        )
        folders[mount["mountPath"].rstrip("/")] = Path(claims[claim], mount.get("subPath", "")).resolve()
    return dict(sorted(folders.items(), key=lambda item: -len(item[0])))


def _env(container: dict[str, Any]) -> dict[str, str]:
    given = container.get("env") or []
    elsewhere = [entry["name"] for entry in given if "valueFrom" in entry] + (container.get("envFrom") or [])
    _refuse(bool(elsewhere), "plain values in env", f"values from elsewhere: {elsewhere}", "Write the values.")
    return {entry["name"]: entry.get("value") or "" for entry in given}


def _local_word(word: str, env: Mapping[str, str], folders: Mapping[str, Path]) -> str:
    """A word of the command with $(NAME) filled in and mounted paths turned into folders.

    Example: "--output_dir=/artifacts/lora", {"/artifacts": "/tmp/a"} -> "--output_dir=/tmp/a/lora"
    """
    word = re.sub(r"\$\((\w+)\)", lambda match: env.get(match[1], match[0]), word)
    option, equals, value = word.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_local_path(value, folders)}"
    return _local_path(word, folders)


def _local_path(value: str, folders: Mapping[str, Path]) -> str:
    for path, folder in folders.items():
        if value == path or value.startswith(f"{path}/"):
            return f"{folder}{value[len(path) :]}"
    return value


def _executable(word: str) -> str:
    # An image has one Python; on this machine that is the one that runs Liftgate.
    return sys.executable if word in ("python", "python3") else word


def _procs_per_node(spec: dict[str, Any]) -> int:
    given = str(spec.get("nprocPerNode") or "auto")
    # The operator counts "auto", "cpu" and "gpu" as 1 in WORLD_SIZE; torchrun sorts out the rest.
    return int(given) if given.isdigit() else 1
