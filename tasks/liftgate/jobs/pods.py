"""What is wrong with a job's pods, in the words of whoever has to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

JOB_NAME, REPLICA_TYPE, REPLICA_INDEX = (
    f"training.kubeflow.org/{name}" for name in ("job-name", "replica-type", "replica-index")
)
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_NOT_MADE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_MEANINGS = {
    126: "its command cannot be run",
    127: "its command was not found in the image",
    137: "it was killed (SIGKILL), most often for memory",
    139: "it broke (SIGSEGV)",
    143: "it was asked to end (SIGTERM)",
}


@dataclass(frozen=True)
class PodReport:
    """A pod that is in trouble, and the end of its log."""

    pod: str
    trouble: str
    last_lines: tuple[str, ...] = ()
    exit_code: int | None = None
    """Of its training container, where that has ended."""

    def __str__(self) -> str:
        return "\n".join([f"{self.pod} {self.trouble}", *(f"    {line}" for line in self.last_lines)])


Object = dict[str, Any]


def of_job(pods: Iterable[Object], uid: str) -> list[Object]:
    """The pods that this very job made, the Master first, then by number."""
    return sorted((pod for pod in pods if _owned(pod, uid)), key=_place)


def _owned(pod: Object, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or [])


def _place(pod: Object) -> tuple[bool, int]:
    labels = pod["metadata"].get("labels") or {}
    return labels.get(REPLICA_TYPE) != "master", int(labels.get(REPLICA_INDEX) or 0)


def trouble_of(pod: Object, events: Iterable[Object] = ()) -> str | None:
    """What keeps a pod from running or made it fail, with the remedy; None where nothing is wrong.

    Example: waiting with ImagePullBackOff -> "cannot get its image trainer:1 (ImagePullBackOff: ...). Check ..."
    """
    status = pod.get("status") or {}
    return _of_the_pod(status) or _of_its_containers(pod, status) or _of_its_events(status, events)


def exit_code_of(pod: Object, container: str) -> int | None:
    """The exit code with which this container of the pod ended last, also where it was started again."""
    for found in (pod.get("status") or {}).get("containerStatuses") or []:
        for state in (found.get("state") or {}, found.get("lastState") or {}):
            if found.get("name") == container and "terminated" in state:
                return int(state["terminated"]["exitCode"])
    return None


def _of_the_pod(status: Object) -> str | None:
    said = f"{status.get('reason')}: {status.get('message') or 'no message'}"
    if status.get("reason") == "Evicted":
        return f"was evicted ({said}). Its node ran short: raise the requests to what it uses, or use a larger node."
    if status.get("reason") in ("NodeLost", "Preempting", "Shutdown", "NodeShutdown", "Terminated"):
        return f"lost its node ({said}). Clear the task: training goes on from its last checkpoint."
    for condition in status.get("conditions") or []:
        if condition.get("reason") == "Unschedulable" and condition.get("status") == "False":
            return (
                f"finds no node ({condition.get('message') or 'Unschedulable'}). Ask for less (resources.gpus, cpus, "
                "memory), add nodes, or check taints, quotas and the state of its volume claims."
            )
    return None


def _of_its_containers(pod: Object, status: Object) -> str | None:
    for found in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = found.get("state") or {}
        trouble = _waiting(pod, found, state.get("waiting") or {}) or _ended(pod, found, state.get("terminated") or {})
        if trouble:
            return trouble
    return None


def _waiting(pod: Object, found: Object, waiting: Object) -> str | None:
    reason = waiting.get("reason") or ""
    said = f"{reason}: {waiting.get('message') or 'no message'}"
    if reason in _NO_IMAGE:
        return (
            f"cannot get its image {found.get('image') or _image(pod, found)} ({said}). Check its name and tag, that "
            "the node reaches the registry, and imagePullSecrets."
        )
    if reason in _NOT_MADE:
        return f"cannot be started ({said}). Check the secrets, config maps and claims that its spec names."
    if reason == "CrashLoopBackOff":
        last = (found.get("lastState") or {}).get("terminated") or {}
        why = _ended(pod, found, last) or f"ended {found.get('restartCount')} times."
        return f"ends again and again ({found.get('restartCount')} restarts): it {why}"
    return None


def _ended(pod: Object, found: Object, terminated: Object) -> str | None:
    code = terminated.get("exitCode")
    if not code:
        return None
    if terminated.get("reason") == "OOMKilled":
        return (
            f"was killed for memory (limit {_limit(pod, found)}). Raise resources.memory, or lower batch_size or "
            "max_length."
        )
    meaning = f": {_MEANINGS[code]}" if code in _MEANINGS else ""
    said = f" It said: {terminated['message'].strip()}" if terminated.get("message") else ""
    return f"ended with exit code {code}{meaning}.{said}"


def _of_its_events(status: Object, events: Iterable[Object]) -> str | None:
    if status.get("phase", "Pending") != "Pending":
        return None
    warnings = [one for one in events if one.get("type") == "Warning"]
    if not warnings:
        return None
    newest = max(warnings, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "")
    return f"does not start ({newest.get('reason')}: {newest.get('message')}). Mend what the message names."


def _container(pod: Object, found: Object) -> Object:
    containers = (pod.get("spec") or {}).get("containers") or []
    return next((one for one in containers if one.get("name") == found.get("name")), {})


def _image(pod: Object, found: Object) -> str:
    return str(_container(pod, found).get("image") or "without a name")


def _limit(pod: Object, found: Object) -> str:
    limits = (_container(pod, found).get("resources") or {}).get("limits") or {}
    return str(limits.get("memory") or "that of its node")
