"""The trigger against an API server over real HTTP: what it shows, what it survives, and the event that it fires."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from kubernetes_server import KubernetesServer, kubernetes_server, until

from liftgate.jobs.api import api_client
from liftgate.jobs.backend import JobRef
from liftgate.jobs.identity import identified
from liftgate.jobs.kubeflow import KubeflowBackend
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Origin, Resources
from liftgate_airflow.hooks.pytorchjob import _lines
from liftgate_airflow.triggers.pytorchjob import LogCursor, PyTorchJobTrigger

pytestmark = pytest.mark.slow

JOBS, LOG = "/pytorchjobs/", "/log"
STEPS = (
    "import time\nfor step in (1, 2): print(f'step {step}/2 loss 0.{step} tokens/s 90', flush=True); time.sleep(0.3)"
)
WAITS = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KubernetesServer]:
    with kubernetes_server(tmp_path) as made:
        yield made


def submitted(server: KubernetesServer, code: str, **changes: Any) -> JobRef:
    spec = JobSpec(slug="job", image="i", command=("python", "-c"), args=(code,), resources=Resources(1, "1Gi"))
    manifest = identified(render(replace(spec, **changes)), Origin("dag", "run", "task"), 1)
    return KubeflowBackend(api_client(str(server.kubeconfig))).submit(manifest)


class Told(PyTorchJobTrigger):
    """A trigger whose log a test can read."""

    def __init__(self, server: KubernetesServer, ref: JobRef, **options: Any):
        options = {"poll_seconds": 0.1, "connection_extras": {"kube_config_path": str(server.kubeconfig)}} | options
        super().__init__(ref.namespace, ref.name, ref.uid, **options)
        self.lines: list[str] = []

    @property
    def log(self) -> Any:
        return self

    async def ainfo(self, line: str) -> None:
        self.lines.append(line)

    awarning = ainfo

    def wait(self) -> dict[str, Any]:
        return asyncio.run(self.first())


def test_the_log_is_shown_while_the_job_runs_each_line_once(server: KubernetesServer) -> None:
    trigger = Told(server, submitted(server, STEPS))
    event = trigger.wait()
    assert (event["phase"], event["progress"]["step"], event["progress"]["loss"]) == ("succeeded", 2, 0.2)
    steps = [line for line in trigger.lines if line.startswith("step")]
    assert steps == ["step 1 of 2 (50 %), loss 0.1, 90 tokens/s", "step 2 of 2 (100 %), loss 0.2, 90 tokens/s"]


def test_a_failed_job_is_never_taken_for_success(server: KubernetesServer) -> None:
    event = Told(server, submitted(server, "raise SystemExit(3)")).wait()
    assert (event["phase"], event["reason"]) == ("failed", "PyTorchJobFailed")
    assert "exit code 3" in event["message"]


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_a_server_that_does_not_answer_is_asked_again(server: KubernetesServer, status: int) -> None:
    ref = submitted(server, STEPS)
    server.fail("GET", JOBS, status, times=2, headers={"Retry-After": "0"})
    trigger = Told(server, ref)
    assert trigger.wait()["phase"] == "succeeded"
    assert any("It is tried again" in line for line in trigger.lines)


def test_a_network_that_is_gone_for_longer_than_a_poll_costs_nothing(server: KubernetesServer) -> None:
    ref = submitted(server, STEPS)
    trigger = Told(server, ref)

    async def story() -> dict[str, Any]:
        waiting = asyncio.create_task(trigger.first())
        await asyncio.sleep(0.2)
        server.close()
        await asyncio.sleep(1.5)  # the job ends meanwhile
        server.open()
        return await waiting

    assert asyncio.run(story())["phase"] == "succeeded"
    assert any("Expected the Kubernetes API server to answer" in line for line in trigger.lines)
    assert server.made == [ref.name]


def test_rights_that_are_missing_end_the_waiting_with_what_is_missing(server: KubernetesServer) -> None:
    ref = submitted(server, WAITS)
    server.fail("GET", JOBS, 403, message="pytorchjobs is forbidden")
    event = Told(server, ref).wait()
    assert event["phase"] == "refused"
    assert "Let the account of this connection get pytorchjobs in namespace llm" in event["message"]


def test_without_the_right_to_read_logs_the_job_is_still_waited_for(server: KubernetesServer) -> None:
    ref = submitted(server, STEPS)
    server.fail("GET", LOG, 403, times=99, message="pods/log is forbidden")
    trigger = Told(server, ref)
    assert trigger.wait()["phase"] == "succeeded"
    assert sum("pods/log" in line for line in trigger.lines) == 1


def test_a_job_that_vanished_is_lost_and_not_successful(server: KubernetesServer) -> None:
    ref = submitted(server, "pass")
    server.backend.delete(ref)
    assert Told(server, ref).wait()["phase"] == "lost"


def test_another_job_of_the_same_name_is_not_waited_for(server: KubernetesServer) -> None:
    ref = submitted(server, WAITS)
    assert Told(server, replace(ref, uid="another")).wait()["reason"] == "PyTorchJobReplaced"


def test_a_job_over_its_deadline_is_told_of_with_where_it_stood(server: KubernetesServer) -> None:
    event = Told(server, submitted(server, WAITS), deadline=time.time() + 1).wait()
    assert (event["phase"], event["message"]) == ("overdue", "the job was running when its deadline was over")


def test_what_keeps_a_pod_from_starting_is_said_while_it_waits(server: KubernetesServer) -> None:
    ref = submitted(server, WAITS)
    waiting = {"reason": "ImagePullBackOff", "message": "no such tag"}
    status = {"phase": "Pending", "containerStatuses": [{"name": "pytorch", "state": {"waiting": waiting}}]}
    server.pod_status[ref.name] = status
    trigger = Told(server, ref, deadline=time.time() + 1)
    trigger.wait()
    assert sum("cannot get its image i" in line for line in trigger.lines) == 1


def test_ending_the_task_by_hand_deletes_the_job_and_a_restart_does_not(server: KubernetesServer) -> None:
    ref = submitted(server, WAITS)
    trigger = Told(server, ref)
    asyncio.run(trigger.cleanup())
    assert server.backend.find("llm", ref.name) is not None
    asyncio.run(trigger.on_kill())
    assert server.backend.find("llm", ref.name) is None


def test_a_job_that_is_not_there_yet_is_waited_for(server: KubernetesServer) -> None:
    trigger = Told(server, JobRef("PyTorchJob", "llm", "later", ""))

    async def story() -> dict[str, Any]:
        waiting = asyncio.create_task(trigger.first())
        await asyncio.sleep(0.3)
        made = await asyncio.to_thread(submitted, server, "pass")
        trigger.ref = replace(trigger.ref, name=made.name)
        return await waiting

    event = asyncio.run(story())
    assert (event["phase"], bool(event["uid"])) == ("succeeded", True)


def test_a_trigger_made_again_from_its_parts_waits_for_the_same_job(server: KubernetesServer) -> None:
    ref = submitted(server, "pass")
    path, parts = PyTorchJobTrigger("llm", ref.name, ref.uid, deadline=7.0, poll_seconds=0.1).serialize()
    again = PyTorchJobTrigger(**parts)
    assert path.rpartition(".")[2] == "PyTorchJobTrigger"
    assert again.serialize() == (path, parts)
    until(lambda: server.backend.status(ref).phase.ended)


def test_a_log_line_that_only_looks_like_progress_ends_nothing(server: KubernetesServer) -> None:
    code = "for said in ('...', 'explodes', '-', '1.5x', 'nan'): print(f'step 3/20 loss {said}', flush=True)"
    trigger = Told(server, submitted(server, code))
    event = trigger.wait()
    assert (event["phase"], event["progress"]) == ("succeeded", None)
    assert "step 3/20 loss explodes" in trigger.lines


def test_a_login_that_is_refused_for_a_moment_ends_nothing(server: KubernetesServer) -> None:
    ref = submitted(server, STEPS)
    server.fail("GET", JOBS, 401, times=2, message="Unauthorized")
    assert Told(server, ref).wait()["phase"] == "succeeded"


def test_a_deletion_that_is_not_answered_is_asked_for_again(server: KubernetesServer) -> None:
    ref = submitted(server, WAITS)
    server.fail("DELETE", JOBS, 503, times=2)
    asyncio.run(Told(server, ref).on_kill())
    assert server.backend.find("llm", ref.name) is None


def test_what_was_wrong_with_a_pod_is_known_after_it_is_gone(server: KubernetesServer) -> None:
    ref = submitted(server, "import time; time.sleep(1); raise SystemExit(2)")
    ended: dict[str, Any] = {"name": "pytorch", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 1}
    ended["lastState"] = {"terminated": {"exitCode": 2}}
    server.pod_status[ref.name] = {"phase": "Running", "containerStatuses": [ended]}
    (seen,) = Told(server, ref).wait()["seen"]
    assert (seen["pod"], seen["exit_code"]) == (f"{ref.name}-master-0", 2)


def test_a_progress_bar_is_one_line_and_a_node_in_another_zone_has_the_same_time() -> None:
    read = b"2026-01-01T02:00:01.5+02:00 10 %\r20 %\r30 %\n2026-01-01T00:00:02.123456789Z done\r\n"
    lines = _lines(read)
    assert [said for _, said in lines] == ["30 %", "done"]
    cursor = LogCursor()
    assert cursor.new(lines[:1]) == ["30 %"]
    assert cursor.since is not None
    assert cursor.since.astimezone(UTC).isoformat() == "2026-01-01T00:00:01.500000+00:00"


def test_lines_that_the_server_gives_again_are_shown_once() -> None:
    cursor = LogCursor()
    first, second = ("2026-01-01T00:00:01.123456789Z", "a"), ("2026-01-01T00:00:02.123456789Z", "b")
    assert cursor.new([first]) == ["a"]
    assert cursor.new([first, second]) == ["b"]
    assert cursor.new([]) == []
    assert cursor.new([second]) == []
    assert cursor.since is not None
    assert cursor.since.isoformat() == "2026-01-01T00:00:02.123456+00:00"
