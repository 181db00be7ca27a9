"""What MLflow is told: on a real server, on a store without one, and where nobody answers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from trained_adapter import adapter_run, stored_tuning_set, trained

from liftgate.evaluation.questions import Question
from liftgate.releases.rollback import resume, roll_back
from liftgate.retrieval import Found
from liftgate.runs import Run
from liftgate.runtime import Runtime
from liftgate.tracking import _add_version
from liftgate.training.adapters import register_adapter

pytestmark = pytest.mark.slow
HOW_TO_GET_ONE = (
    "No server of MLflow was found. Install the extras mlflow and dev, put the program `mlflow` of another environment "
    "on PATH, or name it in MLFLOW_SERVER."
)
SECONDS = 90


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MLflow server over SQLite."""
    program = _program()
    if program is None:
        pytest.skip(HOW_TO_GET_ONE)
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, _, port = address.partition(":")
    stores = ["--backend-store-uri", f"sqlite:///{folder}/store.db", "--artifacts-destination", str(folder / "files")]
    # The runner of jobs, which nobody needs here, takes more packages.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        command = [*program, "server", "--host", host, "--port", port, "--workers", "1", *stores]
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **quiet}, stdout=log, stderr=log)
    try:
        _wait(process, f"http://{address}/health", folder / "log")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def _program() -> list[str] | None:
    if named := os.environ.get("MLFLOW_SERVER") or (not find_spec("flask_cors") and shutil.which("mlflow")):
        return [named]
    return [sys.executable, "-m", "mlflow"] if find_spec("flask_cors") and find_spec("mlflow") else None


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(SECONDS * 4):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise AssertionError(f"Expected MLflow to start in {SECONDS} s, found: {log.read_text()[-2000:]}")


@pytest.fixture
def shown(judged: Any, server: str, request: pytest.FixtureRequest) -> Shown:
    """A judged knowledge base whose adapters MLflow is told of."""
    return Shown(judged, server, request.node.name)


class Shown:
    """A knowledge base, and what MLflow knows of its adapters, whose names and weights no other test has."""

    def __init__(self, judged: Any, uri: str, test: str):
        from mlflow import MlflowClient

        self.judged, self.name = judged, f"a{abs(hash(test)) % 10**9}"
        self.address(judged, uri)
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    @staticmethod
    def address(judged: Any, uri: str) -> None:
        settings = judged.runtime.settings.model_copy(update={"mlflow_tracking_uri": uri})
        judged.runtime = Runtime(settings, judged.runtime._embedders)

    def register(self, weights: str = "one", **manifest: Any) -> tuple[Run, int]:
        """A run that registered an adapter, and its candidate."""
        run = adapter_run(self.judged, file={"name": self.name, "dataset_revision": "dvc:9c1"})
        digest = stored_tuning_set(self.judged)
        folder = trained(self.judged, f"{self.name}-{weights}", **manifest)
        return run, register_adapter(self.judged.runtime, run, digest, folder)

    def promote(self, run: Run, candidate: int) -> None:
        """Judge it by answers that keep the schema with it, and say nothing without it."""
        assert self.judged.compare_answers(run, candidate, _answer) == "promote"
        self.judged.end(run, candidate)

    def digest(self, candidate: int) -> str:
        return str(self.judged.release(candidate).makeup.adapter.digest)

    def runs(self, candidate: int) -> list[Any]:
        experiment = self.client.get_experiment_by_name("liftgate/small")
        found = self.client.search_runs([experiment.experiment_id], f"tags.digest = '{self.digest(candidate)}'")
        return list(found)

    def versions(self) -> list[Any]:
        return list(self.client.search_model_versions(f"name = '{self.name}'"))

    def live(self) -> str | None:
        """Digest of the adapter that the alias names."""
        version = self.client.get_registered_model(self.name).aliases.get("live")
        return next((one.tags["digest"] for one in self.versions() if str(one.version) == str(version)), None)


def _answer(side: str, _: Question, found: Found) -> str:
    best = found.chunks[0]
    answer = {"summary": best.text, "risk": "", "next_steps": [], "citations": [f"doc:{best.doc_id}"]}
    return json.dumps(answer) if side == "candidate" else "Nothing."


def test_training_is_a_run_and_the_adapter_a_version_of_its_model(shown: Shown) -> None:
    metrics = {"steps": 2, "loss": [3.5, 1.25], "published_step": 1, "eval_loss": 1.5, "broken_lines": [7]}
    run, candidate = shown.register(metrics=metrics)
    (found,), (version,) = shown.runs(candidate), shown.versions()
    prompt = shown.judged.release(1).makeup.prompt.version
    assert found.info.status == "FINISHED"
    assert found.data.params.items() >= {"lr": "0.001", "seed": "7", "tuning_set": "tuning-set-1"}.items()
    assert found.data.params.items() >= {"release": "1", "prompt": prompt, "dataset_revision": "dvc:9c1"}.items()
    assert found.data.tags.items() >= {"dag_run": run.run_id, "job": "llm/adapter-small"}.items()
    history = shown.client.get_metric_history(found.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(1, 3.5), (2, 1.25)]
    assert [one.step for one in shown.client.get_metric_history(found.info.run_id, "eval_loss")] == [1]
    assert found.data.metrics == {"loss": 1.25, "steps": 2, "published_step": 1, "eval_loss": 1.5}
    assert [file.path for file in shown.client.list_artifacts(found.info.run_id)] == ["manifest.json"]
    uri = shown.judged.release(candidate).makeup.adapter.uri
    assert (version.tags["digest"], version.tags["uri"]) == (shown.digest(candidate), uri)
    assert (version.run_id, version.source) == (found.info.run_id, f"runs:/{found.info.run_id}")


def test_task_that_is_tried_again_tells_nothing_twice(shown: Shown) -> None:
    run, candidate = shown.register()
    folder = shown.judged.release(candidate).makeup.adapter.uri
    (first,) = shown.runs(candidate)
    # As if the first try had been killed before it was done.
    shown.client.update_run(first.info.run_id, "RUNNING")
    assert register_adapter(shown.judged.runtime, run, "tuning-set-1", folder) == candidate
    (found,) = shown.runs(candidate)
    assert (found.info.run_id, found.info.status) == (first.info.run_id, "FINISHED")
    assert len(shown.client.get_metric_history(found.info.run_id, "loss")) == 2
    assert len(shown.versions()) == 1


def test_verdict_and_what_is_live_are_told_by_tag_and_alias(shown: Shown) -> None:
    run, candidate = shown.register()
    assert shown.live() is None
    shown.promote(run, candidate)
    (version,), (found,) = shown.versions(), shown.runs(candidate)
    assert version.tags["verdict"] == found.data.tags["verdict"] == "promote"
    assert shown.live() == shown.digest(candidate)
    back = {"kb": "small", "kind": "drill", "why": "exercise", "by": "ada"}
    roll_back(shown.judged.runtime, to=1, run_id="back", **back)
    assert shown.live() is None
    roll_back(shown.judged.runtime, to=candidate, run_id="forth", **back)
    assert shown.live() == shown.digest(candidate)


def test_object_store_is_the_source_of_a_version(shown: Shown) -> None:
    _, candidate = shown.register()
    row = {"name": shown.name, "uri": "s3://bucket/adapters/one", "digest": "other"}
    number = _add_version(shown.client, row, shown.runs(candidate)[0].info.run_id)
    assert shown.client.get_model_version(shown.name, number).source == "s3://bucket/adapters/one"


def test_store_without_a_server_is_told_the_same(
    judged: Any, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where MLflow puts artifacts then
    shown = Shown(judged, f"sqlite:///{tmp_path}/mlflow.db", request.node.name)
    run, candidate = shown.register()
    shown.promote(run, candidate)
    assert [len(shown.client.get_metric_history(one.info.run_id, "loss")) for one in shown.runs(candidate)] == [2]
    assert shown.live() == shown.digest(candidate)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that takes connections and never answers."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://ada:hidden@127.0.0.1:{listening.getsockname()[1]}"


def test_server_that_does_not_answer_stops_neither_training_nor_promotion_and_is_told_later(
    judged: Any, silent: str, server: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Shown(judged, server, request.node.name)
    Shown.address(judged, silent)
    run, candidate = shown.register()
    shown.promote(run, candidate)
    assert judged.live() == candidate
    said = capsys.readouterr().out
    assert said.count("Warning: Expected MLflow to answer, found ") == 3
    assert "hidden" not in said
    Shown.address(judged, server)
    roll_back(judged.runtime, "small", 1, kind="drill", why="exercise", by="ada", run_id="back")
    assert resume(judged.runtime, "small", by="ada", run_id="back")
    roll_back(judged.runtime, "small", candidate, kind="drill", why="exercise", by="ada", run_id="forth")
    assert (shown.live(), shown.versions()[0].tags["verdict"]) == (shown.digest(candidate), "promote")
    assert len(shown.runs(candidate)) == 1


def test_extra_that_is_not_installed_is_named(
    judged: Any, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(judged, "http://127.0.0.1:9", request.node.name)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert shown.register()[1] == 2
    assert "the extra `mlflow` of this package" in capsys.readouterr().out
