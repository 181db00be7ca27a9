"""Whoever dies, exactly one job is made for each attempt, and the task ends as the job does.

A real scheduler, triggerer and API server of Airflow. The Kubernetes API is the tests' own, and with KUBECONFIG a real
one with the real training operator as well.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from clusters import Cluster, cluster_of_the_tests, real_cluster
from forwarder import Forwarder

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "handbook"))

from demo.api import ENDED, Api
from demo.server import MARK, USER, Airflow, end_leftovers
from demo.workspace import Workspace

from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Resources, Volume
from liftgate.local.postgres import started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WAITS = """
import pathlib, sys, time
print("step 1/2 loss 1.5 tokens/s 90", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.1)
print("step 2/2 loss 0.5 tokens/s 90", flush=True)
"""
DAG_FILE = '''
import os, signal
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param
from liftgate_airflow.operators.pytorchjob import PyTorchJobOperator


class Dies(PyTorchJobOperator):
    """Kills its own process once at the place that the run names."""

    dies = "never"

    def execute(self, context):
        self.dies = context["params"]["dies"]
        self.mark = Path({folder!r}, context["run_id"] + ".died")
        return super().execute(context)

    def _keep(self, context, attempt):
        if attempt.uid:
            self.die("before the job's uid is kept")
        super()._keep(context, attempt)

    def defer(self, **options):
        self.die("before the task defers")
        super().defer(**options)

    def die(self, place):
        if self.dies == place and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


with DAG("jobs", schedule=None, params={{"dies": Param("never"), "go": Param("x")}}, max_active_runs=9) as dag:
    Dies(task_id="job", manifest="job.yaml", poll_seconds=1, retries=2, retry_delay=timedelta(seconds=1))
'''


@dataclass
class Story:
    """An Airflow with one DAG over a cluster."""

    airflow: Airflow
    api: Api
    cluster: Cluster
    folder: Path
    network: Forwarder

    def begin(self, name: str, dies: str = "never") -> str:
        """A run whose job ends when `go` is called with the same name."""
        return str(self.api.trigger("jobs", {"dies": dies, "go": f"/artifacts/{name}"}))

    def go(self, name: str) -> None:
        (self.folder / name).touch()

    def state(self, run_id: str) -> str:
        return self.api.tasks("jobs", run_id)[0].state

    def waits(self, run_id: str) -> None:
        """Until a trigger has seen the job of the deferred task run."""
        self.until(lambda: self.state(run_id) == "deferred")
        logs = self.airflow.workspace.airflow_home / "logs" / "dag_id=jobs" / f"run_id={run_id}"
        self.until(lambda: any(": running." in log.read_text() for log in logs.rglob("*.trigger.*.log")))
        self.until(lambda: self.cluster.running(self.jobs(run_id)))

    def jobs(self, run_id: str) -> list[str]:
        """Every job that was ever made for a run."""
        return self.cluster.made_for(run_id)

    def ends(self, run_id: str) -> tuple[str, int]:
        """(state of the run, jobs that were made for it)"""
        self.until(lambda: self.api.run("jobs", run_id).state in ENDED)
        return self.api.run("jobs", run_id).state, len(self.jobs(run_id))

    def progress(self, run_id: str) -> Any:
        """What the waiting task shows of its job beside its log."""
        path = f"/dags/jobs/dagRuns/{run_id}/taskInstances/job/xcomEntries"
        shown = {one["key"]: one for one in self.api._call("GET", path)["xcom_entries"]}
        return "progress" in shown and self.api._call("GET", f"{path}/progress?deserialize=true")["value"]

    def restart(self, component: str) -> None:
        """kill -9 of a component and of all that it started, and a new one."""
        process = self.airflow.processes[component]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.airflow.start_component(component)

    def until(self, holds: Callable[[], Any], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, [(run.run_id, self.state(run.run_id)) for run in self.api.runs("jobs")]
            time.sleep(0.3)


@pytest.fixture(scope="module", params=[cluster_of_the_tests, real_cluster])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("artifacts")
    workspace = Workspace(tmp_path_factory.mktemp("airflow"))
    for path in (workspace.handbook, workspace.airflow_home, workspace.files, workspace.logs):
        path.mkdir(parents=True)
    (workspace.handbook / "jobs.py").write_text(DAG_FILE.format(folder=str(folder)))
    os.environ[MARK] = str(workspace.root)
    with ExitStack() as stack:
        cluster = stack.enter_context(request.param(tmp_path_factory.mktemp("cluster"), {"out": folder}))
        (workspace.handbook / "job.yaml").write_text(_manifest(cluster))
        network = stack.enter_context(Forwarder.to(cluster.kubeconfig, workspace.root))
        stack.callback(end_leftovers, workspace)
        postgres = stack.enter_context(started(workspace.root / "postgres"))
        postgres.create_database("airflow", owner="airflow")
        extra = {"kube_config_path": str(network.kubeconfig)}
        connection = json.dumps({"conn_type": "kubernetes", "extra": extra})
        airflow = Airflow(workspace, _free_port(), postgres, {"kubernetes_default": connection})
        stack.callback(airflow.stop)
        airflow.start()
        made = Story(airflow, Api(airflow.url, USER, airflow.password), cluster, folder, network)
        made.until(made.api.is_healthy)
        made.until(lambda: "jobs" in made.api.dag_ids())
        made.api.pause("jobs", False)
        yield made


def _manifest(cluster: Cluster) -> str:
    spec = JobSpec(
        slug="kills",
        image="python:3.11-slim",
        command=("python", "-c"),
        args=(WAITS, "{{ params.go }}"),
        resources=Resources(1, "256Mi"),
        volumes=(Volume("out", "/artifacts"),),
    )
    manifest = render(spec)
    cluster.label(manifest)
    return yaml.safe_dump(manifest)


def test_a_waiting_task_shows_how_far_its_job_is(story: Story) -> None:
    if not story.cluster.serves_logs:
        pytest.skip("Progress is read from logs, and this cluster has no node to serve them. Use one with nodes.")
    run = story.begin("progress")
    story.until(lambda: story.progress(run))
    assert story.state(run) == "deferred"
    assert story.progress(run) == {"step": 1, "steps": 2, "loss": 1.5, "tokens_per_second": 90.0}
    story.go("progress")
    assert story.ends(run) == ("success", 1)


@pytest.mark.parametrize("place", ["before the job's uid is kept", "before the task defers"])
def test_a_worker_is_killed_between_making_the_job_and_deferring(story: Story, place: str) -> None:
    name = f"worker-{len(place)}"
    run = story.begin(name, dies=place)
    story.until(lambda: (story.folder / f"{run}.died").exists())
    story.waits(run)
    story.go(name)
    assert story.ends(run) == ("success", 1)


def test_the_triggerer_is_killed_while_it_polls(story: Story) -> None:
    run = story.begin("triggerer")
    story.waits(run)
    story.restart("triggerer")
    story.go("triggerer")
    assert story.ends(run) == ("success", 1)


def test_the_scheduler_is_killed_while_the_job_runs(story: Story) -> None:
    run = story.begin("scheduler")
    story.waits(run)
    story.restart("scheduler")
    story.go("scheduler")
    assert story.ends(run) == ("success", 1)


def test_the_network_is_cut_for_longer_than_the_poll_interval(story: Story) -> None:
    run = story.begin("network")
    story.waits(run)
    story.network.cut()
    time.sleep(3)
    story.go("network")
    time.sleep(3)
    assert story.state(run) == "deferred"
    story.network.restore()
    assert story.ends(run) == ("success", 1)


def test_marking_the_task_failed_deletes_its_job(story: Story) -> None:
    run = story.begin("marked")
    story.waits(run)
    (name,) = story.jobs(run)
    path = f"/dags/jobs/dagRuns/{run}/taskInstances/job"
    story.api._call("PATCH", path, json={"new_state": "failed"})
    story.until(lambda: not story.cluster.is_there(name))
    assert story.ends(run) == ("failed", 1)


def test_a_cleared_task_of_an_ended_run_makes_the_next_attempt(story: Story) -> None:
    run = story.begin("cleared")
    story.go("cleared")
    assert story.ends(run) == ("success", 1)
    body = {"dag_run_id": run, "task_ids": ["job"], "only_failed": False, "dry_run": False}
    story.api._call("POST", "/dags/jobs/clearTaskInstances", json=body)
    story.until(lambda: story.api.run("jobs", run).state not in ENDED)
    assert story.ends(run) == ("success", 2)
    assert sorted(name[-3:] for name in story.jobs(run)) == ["-a1", "-a2"]


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
