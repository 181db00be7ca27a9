"""What the training operator's webhook and defaults make of a PyTorchJob, and what one machine can run of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liftgate.jobs.backend import Manifest
from liftgate.jobs.rules import CONTAINER, check, refuse_if, replica_kinds

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
    check(manifest)
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    policy = spec.get("runPolicy") or {}
    refuse_if(bool(spec.get("elasticPolicy")), "no elasticPolicy", "one", "The local backend runs fixed replicas.")
    refuse_if(bool(policy.get("suspend")), "a job that may start", "suspend: true", "Remove it.")
    kinds = replica_kinds(spec)
    replicas = _replicas(kinds, claims, ignore_gpus)
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


def _replicas(kinds: dict[str, Any], claims: Mapping[str, Path], ignore_gpus: bool) -> tuple[Replica, ...]:
    replicas: list[Replica] = []
    for kind, spec in kinds.items():
        pod = (spec.get("template") or {}).get("spec") or {}
        container = _container(pod)
        notes = [*_note_gpus(container, ignore_gpus)]
        folders = _mounted(container, pod, claims)
        notes += [f"{path} is {folder}" for path, folder in folders.items()]
        command = [*container.get("command", ()), *container.get("args", ())]
        refuse_if(
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


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    refuse_if(
        bool(pod.get("initContainers")),
        "no init containers",
        "some",
        "The local backend runs one process for each replica.",
    )
    containers = pod.get("containers") or []
    names = [container.get("name") for container in containers]
    refuse_if(
        len(names) > 1, f"the container {CONTAINER} alone", ", ".join(names), "The local backend runs no sidecars."
    )
    container: dict[str, Any] = containers[0]
    return container


def _note_gpus(container: dict[str, Any], ignore_gpus: bool) -> list[str]:
    asked = ((container.get("resources") or {}).get("limits") or {}).get(_GPU)
    if not asked or str(asked) == "0":
        return []
    refuse_if(not ignore_gpus, "a job without GPUs", f"{_GPU}: {asked}", "Set resources.gpus to 0, or use a cluster.")
    return [f"{_GPU}: {asked} is ignored, this job runs on the machine's own cores"]


def _mounted(container: dict[str, Any], pod: dict[str, Any], claims: Mapping[str, Path]) -> dict[str, Path]:
    """{mount path: folder of this machine}, longest path first."""
    sources = {volume["name"]: volume for volume in pod.get("volumes") or []}
    folders = {}
    for mount in container.get("volumeMounts") or []:
        claim = (sources.get(mount["name"], {}).get("persistentVolumeClaim") or {}).get("claimName") or ""
        refuse_if(
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
    refuse_if(bool(elsewhere), "plain values in env", f"values from elsewhere: {elsewhere}", "Write the values.")
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
