"""Each thing that can be wrong with a pod is told in plain words, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from liftgate.jobs.pods import exit_code_of, of_job, trouble_of

CONTAINER = {"name": "pytorch", "image": "trainer:1", "resources": {"limits": {"memory": "16Gi"}}}


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [CONTAINER]}, "status": status}


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod(phase="Running", containerStatuses=[{"name": "pytorch", "state": state, **more}])


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


def terminated(code: int, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, **more}}


@pytest.mark.parametrize(
    ("found", "said", "remedy"),
    [
        (waiting("ImagePullBackOff", "no such tag"), "cannot get its image trainer:1", "imagePullSecrets"),
        (waiting("ErrImagePull"), "cannot get its image", "Check its name and tag"),
        (waiting("CreateContainerConfigError", 'secret "keys" not found'), 'secret "keys" not found', "secrets"),
        (
            waiting("CrashLoopBackOff", restartCount=4, lastState=terminated(137, reason="OOMKilled")),
            "again and again (4 restarts): it was killed for memory",
            "Raise resources.memory",
        ),
        (container(terminated(137, reason="OOMKilled")), "killed for memory (limit 16Gi)", "batch_size"),
        (container(terminated(127)), "exit code 127: its command was not found", "."),
        (container(terminated(2, message="Expected a JSONL file")), "It said: Expected a JSONL file", "."),
        (
            pod(phase="Failed", reason="Evicted", message="low on memory"),
            "was evicted (Evicted: low on",
            "raise",
        ),
        (pod(phase="Failed", reason="NodeLost", message="gone"), "lost its node", "last checkpoint"),
        (
            pod(
                phase="Pending",
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                    }
                ],
            ),
            "Insufficient nvidia.com/gpu",
            "add nodes",
        ),
    ],
)
def test_a_trouble_is_named_with_its_remedy(found: dict[str, Any], said: str, remedy: str) -> None:
    trouble = trouble_of(found)
    assert trouble is not None
    assert said in trouble
    assert remedy in trouble


def test_a_pod_that_waits_for_a_volume_is_told_by_its_newest_warning() -> None:
    events = [
        {"type": "Warning", "reason": "FailedMount", "message": "claim a not bound", "lastTimestamp": "2026-01-02"},
        {"type": "Warning", "reason": "FailedScheduling", "message": "old", "lastTimestamp": "2026-01-01"},
        {"type": "Normal", "reason": "Pulled", "message": "fine", "lastTimestamp": "2026-01-03"},
    ]
    assert "FailedMount: claim a not bound" in str(trouble_of(pod(phase="Pending"), events))
    assert trouble_of(pod(phase="Running"), events) is None


@pytest.mark.parametrize("fine", [pod(phase="Running"), pod(phase="Pending"), container(terminated(0)), pod()])
def test_a_healthy_pod_is_in_no_trouble(fine: dict[str, Any]) -> None:
    assert trouble_of(fine) is None


def test_the_exit_code_is_found_also_where_the_container_was_started_again() -> None:
    assert exit_code_of(container(terminated(3)), "pytorch") == 3
    assert exit_code_of(waiting("CrashLoopBackOff", lastState=terminated(2)), "pytorch") == 2
    assert exit_code_of(pod(phase="Pending"), "pytorch") is None


def test_only_pods_of_this_very_job_count_and_the_master_comes_first() -> None:
    def owned(name: str, kind: str, index: str, uid: str) -> dict[str, Any]:
        labels = {"training.kubeflow.org/replica-type": kind, "training.kubeflow.org/replica-index": index}
        return {"metadata": {"name": name, "labels": labels, "ownerReferences": [{"uid": uid}]}}

    pods = [owned("w1", "worker", "1", "u"), owned("x", "master", "0", "other"), owned("w0", "worker", "0", "u")]
    pods.append(owned("m", "master", "0", "u"))
    assert [one["metadata"]["name"] for one in of_job(pods, "u")] == ["m", "w0", "w1"]
