"""The operator as a task of somebody's DAG: what it returns, how it fails, what a second try does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes_server import KubernetesServer, kubernetes_server, until

from liftgate.jobs.api import api_client
from liftgate.jobs.identity import identified
from liftgate.jobs.kubeflow import KubeflowBackend
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Origin, Resources

if TYPE_CHECKING:
    from airflow.sdk import DAG

pytestmark = pytest.mark.slow

CONNECTION = "AIRFLOW_CONN_KUBERNETES_DEFAULT"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    with kubernetes_server(tmp_path / "cluster") as made:
        extra = {"kube_config_path": str(made.kubeconfig), "namespace": "llm"}
        monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "kubernetes", "extra": extra}))
        yield made


def manifest(code: str) -> dict[str, Any]:
    spec = JobSpec(slug="job", image="i", command=("python", "-c"), args=(code,), resources=Resources(1, "1Gi"))
    return render(spec)


DAG_FILE = """
from datetime import timedelta
from airflow.sdk import DAG
from liftgate_airflow.operators.pytorchjob import PyTorchJobOperator
from liftgate_airflow.sensors.pytorchjob import PyTorchJobSensor
with DAG("jobs", schedule=None, default_args={{"retries": {retries}, "retry_delay": timedelta(0)}}) as dag:
    {task}
"""


@dataclass
class Airflow:
    """Runs DAGs of one task."""

    bundle: Path
    parse: Callable[[Path], dict[str, DAG]]

    def run(self, operator: str, retries: int = 0, **options: Any) -> Any:
        """The task's instance after the run."""
        given = ", ".join(f"{name}={value!r}" for name, value in {"poll_seconds": 0.1, **options}.items())
        task = f"{operator}(task_id='job', {given})"
        file = self.bundle / "jobs.py"
        file.write_text(DAG_FILE.format(retries=retries, task=task))
        # Python takes a compiled file for this one where its size is the same and its time, in whole seconds.
        Path(cache_from_source(str(file))).unlink(missing_ok=True)
        made = self.parse(self.bundle)["jobs"].test()
        (instance,) = made.get_task_instances()
        return instance

    def operator(self, code: str, **options: Any) -> Any:
        return self.run("PyTorchJobOperator", manifest=manifest(code), **options)


@pytest.fixture
def airflow(airflow_metadata: Path, server: KubernetesServer) -> Iterator[Airflow]:
    def parse(bundle: Path) -> dict[str, DAG]:
        from airflow.dag_processing.dagbag import DagBag

        return dict(DagBag(bundle, bundle_path=bundle).dags)

    yield Airflow(airflow_metadata, parse)
    (airflow_metadata / "jobs.py").unlink()


def returned(instance: Any) -> Any:
    return instance.xcom_pull(task_ids="job")


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_succeeds_is_told_of_with_its_progress(
    airflow: Airflow, server: KubernetesServer, deferrable: bool
) -> None:
    instance = airflow.operator("print('step 2/2 loss 0.5', flush=True)", deferrable=deferrable)
    assert instance.state == "success"
    told = returned(instance)
    assert (server.made, told["number"]) == ([told["name"]], 1)
    assert told["progress"]["loss"] == 0.5


def test_a_failed_job_fails_the_task_with_the_reason_and_the_last_lines(
    airflow: Airflow, server: KubernetesServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert airflow.operator("print('no data', flush=True); raise SystemExit(3)").state == "failed"
    said = "".join(capfd.readouterr())
    assert "master-0 ended with exit code 3" in said
    assert "    no data" in said


def test_a_retry_makes_the_next_attempt(airflow: Airflow, server: KubernetesServer) -> None:
    assert airflow.operator("raise SystemExit(3)", retries=1).state == "failed"
    assert [name[-3:] for name in server.made] == ["-a1", "-a2"]


def test_a_job_over_its_deadline_fails_the_task_and_is_deleted(
    airflow: Airflow, server: KubernetesServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert airflow.operator("import time; time.sleep(600)", deadline_seconds=1).state == "failed"
    assert server.backend.find("llm", server.made[0]) is None
    assert "when its deadline was over" in "".join(capfd.readouterr())


def test_a_manifest_from_a_file_is_rendered_and_may_name_another_namespace(
    airflow: Airflow, server: KubernetesServer
) -> None:
    text = yaml.safe_dump(manifest("print('{{ dag.dag_id }}')")).replace("namespace: llm", "namespace: other")
    (airflow.bundle / "job.yaml").write_text(text)
    told = returned(airflow.run("PyTorchJobOperator", manifest="job.yaml"))
    ref = server.backend.find("other", told["name"])
    assert ref is not None
    assert list(server.backend.logs(ref))[-1] == "jobs"


def test_a_wrong_container_name_is_refused_before_anything_is_made(
    airflow: Airflow, server: KubernetesServer, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = manifest("pass")
    wrong["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["name"] = "trainer"
    assert airflow.run("PyTorchJobOperator", manifest=wrong).state == "failed"
    assert server.made == []
    assert "Rename the training container to 'pytorch'" in "".join(capfd.readouterr())


VANISHES = """
import hashlib, json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "weights").write_text("w")
files = {"weights": {"sha256": hashlib.sha256(b"w").hexdigest()}}
(folder / "whole").write_text(json.dumps({"files": files, "job": os.environ["LIFTGATE_JOB"]}))
(folder / "whole").rename(folder / "manifest.json")
time.sleep(120)
"""


@pytest.mark.parametrize(("whole", "state"), [(True, "success"), (False, "failed")])
def test_a_job_that_vanished_is_success_only_with_its_own_whole_result(
    airflow: Airflow, server: KubernetesServer, tmp_path: Path, whole: bool, state: str
) -> None:
    # The job is gone before anybody saw its end: it waits until it is collected.
    made = manifest(VANISHES)
    container = made["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]
    container["args"] += [str(tmp_path)]
    threading.Thread(target=_collect, args=(server, tmp_path, whole), daemon=True).start()
    instance = airflow.run("PyTorchJobOperator", manifest=made, result=str(tmp_path), poll_seconds=1)
    assert instance.state == state


def _collect(server: KubernetesServer, folder: Path, whole: bool) -> None:
    until(lambda: (folder / "manifest.json").exists())
    if not whole:
        (folder / "weights").write_text("other")
    ref = server.backend.find("llm", server.made[0])
    assert ref is not None
    KubeflowBackend(api_client(str(server.kubeconfig))).cancel(ref)


def test_a_sensor_waits_for_a_job_that_others_made(
    airflow: Airflow, server: KubernetesServer, capfd: pytest.CaptureFixture[str]
) -> None:
    given = identified(manifest("pass"), Origin("other", "run", "task"), 1)
    ref = server.backend.submit(given)
    assert airflow.run("PyTorchJobSensor", name=ref.name, namespace="llm").state == "success"
    given["metadata"]["name"] = "breaks"
    given["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["args"] = [
        "raise SystemExit(1)"
    ]
    server.backend.submit(given)
    assert airflow.run("PyTorchJobSensor", name="breaks", namespace="llm", deferrable=False).state == "failed"
    assert "whoever made the job makes it again" in "".join(capfd.readouterr())


def test_an_argument_that_ends_in_yaml_is_handed_on_as_it_is(airflow: Airflow, server: KubernetesServer) -> None:
    made = manifest("import sys; print(sys.argv[1])")
    made["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["args"] += [
        "/configs/train.yaml"
    ]
    told = returned(airflow.run("PyTorchJobOperator", manifest=made))
    ref = server.backend.find("llm", told["name"])
    assert ref is not None
    assert list(server.backend.logs(ref))[-1] == "/configs/train.yaml"


def test_a_job_that_succeeded_as_its_deadline_ended_is_no_failure(
    airflow: Airflow, server: KubernetesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liftgate_airflow.triggers.pytorchjob import PyTorchJobTrigger

    async def late(self: PyTorchJobTrigger) -> dict[str, Any]:
        until(lambda: server.backend.status(self.ref).phase.ended)
        return {"phase": "overdue", "uid": self.ref.uid}

    monkeypatch.setattr(PyTorchJobTrigger, "first", late)
    assert airflow.operator("pass", deferrable=False).state == "success"
