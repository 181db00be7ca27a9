"""`adapter_<name>` on a cluster, whole: training and both sides' answers as jobs, with the real trainer and model.

On the API server of the tests, and with KUBECONFIG on a real one with the real training operator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from clusters import Cluster, cluster_of_the_tests, real_cluster
from object_store import BUCKET, s3_server

from liftgate.runtime import Runtime
from liftgate.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
MODEL = ROOT / ".models" / "SmolLM2-135M-Instruct"
DESKS = [f"topic{chr(97 + number // 10)}{chr(97 + number % 10)}" for number in range(32)]
"""Families enough for a verdict on ten points."""
LAMPS = "maple birch cedar willow poplar walnut chestnut hazel".split()  # noqa: SIM905
JOB = {
    "backend": "pytorchjob",
    "model_path": str(MODEL),
    "resources": {"gpus": 0, "cpus": 1, "memory": "2Gi"},
    "claims": {"data": "data", "artifacts": "artifacts"},
    "deadline_seconds": 300,
    "retries": 0,
}


@dataclass
class Installation:
    bundle: Path
    runtime: Runtime
    cluster: Cluster

    def run(self, dag_id: str) -> tuple[str, dict[str, str]]:
        from airflow.dag_processing.dagbag import DagBag

        made = DagBag(self.bundle, bundle_path=self.bundle).dags[dag_id].test()
        return str(made.state.value), {task.task_id: str(task.state) for task in made.get_task_instances()}

    def query(self, sql: str) -> list[dict[str, Any]]:
        with self.runtime.database.transaction() as connection:
            return [dict(row) for row in connection.execute(sql).fetchall()]  # type: ignore[arg-type]


@contextmanager
def cluster_with_a_store(root: Path, claims: dict[str, Path]) -> Iterator[Cluster]:
    """No claim: everything travels through an object store."""
    with (
        pytest.MonkeyPatch.context() as patch,
        s3_server(patch) as (_, variables),
        cluster_of_the_tests(root, {}) as made,
    ):
        made.job = {"store": f"s3://{BUCKET}/desks", "env": variables}
        yield made


@pytest.fixture(params=[cluster_of_the_tests, cluster_with_a_store, real_cluster])
def installation(
    request: pytest.FixtureRequest, database_url: str, airflow_metadata: Path, tmp_path: Path
) -> Iterator[Installation]:
    files = tmp_path / "files"
    claims = {"data": files / "tuning_sets", "artifacts": files / "adapters"}
    extras = {"files_url": str(files), "models_dir": str(ROOT / ".models")}
    runtime = Runtime(Settings(database_url=database_url, **extras))
    runtime.database.upgrade()
    address = {"conn_type": "postgres", "login": "postgres", "schema": urlsplit(database_url).path[1:]}
    address["extra"] = {**dict(parse_qsl(urlsplit(database_url).query)), **extras}
    with ExitStack() as stack:
        cluster = stack.enter_context(request.param(tmp_path / "cluster", claims))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps(address))
        kubernetes = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
        patch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(kubernetes))
        # What the image brings: the trainer on the path.
        patch.setenv("PYTHONPATH", str(ROOT / "trainer_image"))
        for claim in claims.values():
            claim.mkdir(parents=True)
        bundle = _write(airflow_metadata / "cluster", tmp_path, cluster)
        yield Installation(bundle, runtime, cluster)


def _write(bundle: Path, folder: Path, cluster: Cluster) -> Path:
    """Desks that golden questions are about, and lamps that the adapter learns from."""
    for name in ("knowledge_bases", "adapters"):
        (bundle / name).mkdir(parents=True, exist_ok=True)
    for file in (ROOT / "dags").glob("*.py"):
        (bundle / file.name).write_text(file.read_text())
    (folder / "documents").mkdir()
    facts = {f"{one}.md": f"The {one} desk opens at {n + 100} sharp." for n, one in enumerate(DESKS)}
    facts |= {f"{one}.md": f"The {one} lamp hangs in room {n + 200} now." for n, one in enumerate(LAMPS)}
    for name, text in facts.items():
        (folder / "documents" / name).write_text(f"# {name}\n\n{text}\n")
    _write_lines(folder / "questions.jsonl", [_question(n, one) for n, one in enumerate(DESKS)])
    absent = [_example(n, one, "refuse") for n, one in enumerate(("teak", "ebony", "cork"))]
    _write_lines(folder / "examples.jsonl", [_example(n, one, "answer") for n, one in enumerate(LAMPS)] + absent)
    (folder / "prompt.md").write_text("---\nrefusal: I cannot answer this.\n---\n$context\n\n$question\n")
    job = {**JOB, **cluster.job, "labels": cluster.labels}
    base = {
        "name": "desks",
        "ingestion": {"source": {"type": "folder", "path": str(folder / "documents")}},
        "access": {"default_groups": ["staff"]},
        "questions": {"file": str(folder / "questions.jsonl")},
        "gate": {"floors": {"recall": 0.7}, "guards": [{"metric": "recall"}]},
        "validation": {"min_examples": 5, "min_refusal_share": 0.1, "max_refusal_share": 0.6},
        "answers": {"prompt": str(folder / "prompt.md"), "max_new_tokens": 8, "job": job},
    }
    (bundle / "knowledge_bases" / "desks.yaml").write_text(yaml.safe_dump(base))
    training = {**job, "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct", "open_groups": ["staff"], "max_steps": 2}
    adapter = {
        "name": "desks",
        "knowledge_base": "../knowledge_bases/desks.yaml",
        "examples": str(folder / "examples.jsonl"),
        "training": {**training, "batch_size": 2},
    }
    (bundle / "adapters" / "desks.yaml").write_text(yaml.safe_dump(adapter))
    return bundle


def _question(number: int, name: str) -> dict[str, Any]:
    asked = {"id": name, "question": f"When does the {name} desk open?", "family": f"{name}.md", "groups": ["staff"]}
    expected = {"expected": "answer", "sources": [f"{name}.md"], "quote": f"opens at {number + 100}"}
    judged = ["retrieval", "answers"] if number < 2 else ["retrieval"]
    return {**asked, **expected, "must_contain": [[str(number + 100)]], "judged": judged}


def _example(number: int, name: str, expected: str) -> dict[str, Any]:
    asked = {"id": name, "question": f"Where does the {name} lamp hang?", "groups": ["staff"], "expected": expected}
    if expected == "refuse":
        return {**asked, "family": f"absent-{name}"}
    quote = f"The {name} lamp hangs in room {number + 200}"
    output = {"summary": f"{quote}.", "risk": "none", "next_steps": []}
    return {**asked, "family": f"{name}.md", "sources": [f"{name}.md"], "quote": quote, "output": output}


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_an_adapter_is_trained_and_answers_by_jobs_and_nothing_is_done_twice(installation: Installation) -> None:
    assert installation.run("kb_desks")[0] == "success"
    state, tasks = installation.run("adapter_desks")
    assert state == "success", tasks
    assert {tasks[name] for name in ("train", "answer_with_candidate", "answer_with_baseline")} == {"success"}
    (adapter,) = installation.query("SELECT * FROM adapters")
    kinds = sorted(job["metadata"]["name"].partition("-")[0] for job in installation.cluster.jobs())
    assert kinds == ["adapter", "answers", "answers"]
    trained = next(job for job in installation.cluster.jobs() if job["metadata"]["name"].startswith("adapter"))
    noted = trained["metadata"]["annotations"]
    assert (noted["liftgate.dev/release"], noted["liftgate.dev/dataset-version"]) == ("1", adapter["tuning_set"])
    assert adapter["uri"].startswith("s3://" if installation.cluster.job else "/")
    assert adapter["job_uid"] == installation.cluster.backend.find("llm", trained["metadata"]["name"]).uid  # type: ignore[union-attr]
    assert installation.query("SELECT count(*) AS n FROM answers") == [{"n": 4}]
    again, _ = installation.run("adapter_desks")
    assert again == "success"
    assert len(installation.cluster.jobs()) == 3
