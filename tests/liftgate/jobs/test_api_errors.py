"""What an API server's answers mean: who is asked again, who is refused, and what the sentence says."""

from __future__ import annotations

import time
from typing import Any

import pytest
from kubernetes_server import KubernetesServer

from liftgate.errors import ClusterUnavailable, JobRefused
from liftgate.jobs import api
from liftgate.jobs.api import api_client, wait_seconds
from liftgate.jobs.backend import Phase
from liftgate.jobs.identity import identified
from liftgate.jobs.kubeflow import KubeflowBackend
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Origin, Resources

pytestmark = pytest.mark.slow

JOBS = "/pytorchjobs"


@pytest.fixture
def backend(kubernetes: KubernetesServer, monkeypatch: pytest.MonkeyPatch) -> KubeflowBackend:
    monkeypatch.setattr(api, "LONGEST_WAIT_SECONDS", 0.01)
    return KubeflowBackend(api_client(str(kubernetes.kubeconfig)))


def manifest(**changes: Any) -> dict[str, Any]:
    spec = JobSpec(
        slug="job", image="i", command=("python", "-c"), args=("pass",), resources=Resources(1, "1Gi"), **changes
    )
    return identified(render(spec), Origin("dag", "run", "task"), 1)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0])
def test_a_submission_is_repeated_until_the_server_answers(
    kubernetes: KubernetesServer, backend: KubeflowBackend, status: int
) -> None:
    kubernetes.fail("POST", JOBS, status, times=2)
    ref = backend.submit(manifest())
    assert kubernetes.made == [ref.name]


@pytest.mark.parametrize("status", [500, 0])
def test_a_job_whose_making_was_not_heard_of_is_adopted(
    kubernetes: KubernetesServer, backend: KubeflowBackend, status: int
) -> None:
    kubernetes.fail("POST", JOBS, status, afterwards=True)
    ref = backend.submit(manifest())
    assert (kubernetes.made, ref.adopted) == ([ref.name], True)


def test_a_server_that_stays_away_is_told_of_after_five_tries(
    kubernetes: KubernetesServer, backend: KubeflowBackend
) -> None:
    kubernetes.fail("GET", JOBS, 503, times=99, message="etcd has no leader")
    with pytest.raises(ClusterUnavailable, match="503: etcd has no leader"):
        backend.find("llm", "job")
    assert sum(line.startswith("GET") for line in kubernetes.asked) == 5


def test_a_connection_that_is_refused_is_worth_a_retry(kubernetes: KubernetesServer, backend: KubeflowBackend) -> None:
    kubernetes.close()
    with pytest.raises(ClusterUnavailable, match="check the connection's address"):
        backend.find("llm", "job")


def test_a_server_that_never_answers_is_given_up_after_the_time_out(
    kubernetes: KubernetesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "REQUEST_SECONDS", (0.2, 0.2))
    monkeypatch.setattr(api, "LONGEST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(kubernetes, "answer", lambda *_: time.sleep(1) or (200, {}))
    with pytest.raises(ClusterUnavailable, match="ReadTimeoutError"):
        KubeflowBackend(api_client(str(kubernetes.kubeconfig))).find("llm", "job")


def test_the_server_decides_how_long_it_is_left_alone() -> None:
    assert [wait_seconds(tries, None) for tries in (1, 2, 3, 9)] == [1, 2, 4, api.LONGEST_WAIT_SECONDS]
    assert wait_seconds(1, 7.0) == 7.0


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (401, "Unauthorized", "Renew the credentials"),
        (403, 'pytorchjobs is forbidden: User "x" cannot create', "Let the account of this connection create pytorch"),
        (403, 'admission webhook "v" denied the request: containers', "Correct the manifest"),
        (403, "exceeded quota: gpus", "quota raised"),
        (404, 'namespaces "llm" not found', "Create the namespace"),
        (404, "the server could not find the requested resource", "Install Kubeflow's training operator"),
        (422, "PyTorchJob is invalid: spec.x: Required value", "spec.x"),
    ],
)
def test_a_refusal_is_told_at_once_with_the_remedy(
    kubernetes: KubernetesServer, backend: KubeflowBackend, status: int, message: str, said: str
) -> None:
    kubernetes.fail("POST", JOBS, status, times=9, message=message)
    with pytest.raises(JobRefused, match=f"found {status}.*{said}"):
        backend.submit(manifest())
    assert [line.split()[0] for line in kubernetes.asked] == ["POST"]


def test_a_namespace_that_is_not_there_is_named(kubernetes: KubernetesServer, backend: KubeflowBackend) -> None:
    with pytest.raises(JobRefused, match='namespaces "nowhere" not found. Create the namespace'):
        backend.submit(manifest(namespace="nowhere"))


def test_what_is_wrong_with_the_pods_is_told_with_their_last_lines(
    kubernetes: KubernetesServer, backend: KubeflowBackend
) -> None:
    wrong = manifest()
    container = wrong["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]
    container["args"] = ["print('about to break'); raise SystemExit(2)"]
    ref = backend.submit(wrong)
    while backend.status(ref).phase is not Phase.FAILED:
        time.sleep(0.02)
    (report,) = backend.troubles(ref)
    assert (report.exit_code, report.last_lines[-1]) == (2, "about to break")
    assert "ended with exit code 2" in str(report)


def test_an_end_is_told_also_where_neither_events_nor_logs_may_be_read(
    kubernetes: KubernetesServer, backend: KubeflowBackend
) -> None:
    made = manifest()
    made["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["args"] = ["raise SystemExit(2)"]
    ref = backend.submit(made)
    while backend.status(ref).phase is not Phase.FAILED:
        time.sleep(0.02)
    for path in ("/events", "/log"):
        kubernetes.fail("GET", path, 403, times=9, message="forbidden")
    (report,) = backend.troubles(ref)
    assert (report.exit_code, report.last_lines) == (2, ())
    kubernetes.fail("GET", "/pods", 403, times=9, message="forbidden")
    assert backend.troubles(ref) == []


def test_a_job_whose_pods_are_refused_is_told_of_by_its_own_events(
    kubernetes: KubernetesServer, backend: KubeflowBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = backend.submit(manifest())
    monkeypatch.setattr(kubernetes, "_pods_of", lambda _: [])
    kubernetes.events.append({"type": "Warning", "reason": "FailedCreatePod", "message": "exceeded quota: gpus"})
    (report,) = backend.troubles(ref)
    assert "FailedCreatePod: exceeded quota: gpus" in report.trouble
