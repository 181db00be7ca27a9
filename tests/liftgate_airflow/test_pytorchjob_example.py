"""The example of a hand-written job: what its usual mistakes are told, and that it trains once they are mended."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from clusters import cluster_of_the_tests, real_cluster

from liftgate.errors import JobRefused
from liftgate.jobs.api import api_client
from liftgate.jobs.identity import identified
from liftgate.jobs.kubeflow import KubeflowBackend, create_pytorchjob
from liftgate.jobs.reading import read_manifest
from liftgate.jobs.results import verified_manifest
from liftgate.jobs.spec import Origin

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "pytorchjob"
MODEL = ROOT / ".models" / "SmolLM2-135M-Instruct"


def example() -> dict[str, Any]:
    return read_manifest((EXAMPLE / "train_lora.yaml").read_text())


def as_most_examples_have_it() -> dict[str, Any]:
    manifest = example()
    manifest["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["name"] = "trainer"
    return manifest


def test_a_container_called_trainer_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with cluster_of_the_tests(tmp_path, {}) as cluster:
        with pytest.raises(JobRefused, match="Rename the training container to 'pytorch'"):
            cluster.backend.submit(identified(as_most_examples_have_it(), Origin("d", "r", "t"), 1))
        assert cluster.jobs() == []


def test_a_restart_without_a_limit_is_refused_with_the_remedy(tmp_path: Path) -> None:
    manifest = example()
    del manifest["spec"]["runPolicy"]["backoffLimit"]
    with cluster_of_the_tests(tmp_path, {}) as cluster, pytest.raises(JobRefused, match="Set backoffLimit"):
        cluster.backend.submit(identified(manifest, Origin("d", "r", "t"), 1))


def test_the_real_webhook_refuses_it_too_and_its_words_are_handed_on(tmp_path: Path) -> None:
    with real_cluster(tmp_path, {}) as cluster:
        from liftgate.jobs.api import ask

        api = api_client(str(cluster.kubeconfig))
        wrong = identified(as_most_examples_have_it(), Origin("d", "r", "t"), 1)
        with pytest.raises(JobRefused, match="must have at least one container with name pytorch"):
            ask("create", "pytorchjobs in namespace llm", lambda: create_pytorchjob(api, wrong, "llm"))
        assert KubeflowBackend(api).find("llm", wrong["metadata"]["name"]) is None


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.parametrize("place", [cluster_of_the_tests, real_cluster])
def test_the_example_trains_an_adapter(
    place: Any, nodes: int, airflow_metadata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a small model and two steps in place of gemma and a GPU; everything else as the file has it."""
    claims = {"llm-train-data-pvc": tmp_path / "data", "llm-artifacts-pvc": tmp_path / "artifacts"}
    for folder in claims.values():
        folder.mkdir()
    messages = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me."}]
    rows = [json.dumps({"id": str(number), "messages": messages}) for number in range(4)]
    (tmp_path / "data" / "train.jsonl").write_text("\n".join(rows))
    with place(tmp_path / "cluster", claims) as cluster:
        extra = {"kube_config_path": str(cluster.kubeconfig)}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps({"conn_type": "kubernetes", "extra": extra}))
        monkeypatch.setenv("PYTHONPATH", str(ROOT / "trainer_image"))
        manifest = example()
        replicas = manifest["spec"]["pytorchReplicaSpecs"]
        if nodes > 1:
            replicas["Worker"] = {**deepcopy(replicas["Master"]), "replicas": nodes - 1}
        cluster.label(manifest)
        text = yaml.safe_dump(manifest).replace("google/gemma-2-2b-it", str(MODEL))
        (airflow_metadata / "train_lora.yaml").write_text(text.replace("- --epochs\n", "- --max_steps\n"))
        (airflow_metadata / "train_lora.py").write_text((EXAMPLE / "train_lora.py").read_text())
        from airflow.dag_processing.dagbag import DagBag

        run = DagBag(airflow_metadata, bundle_path=airflow_metadata).dags["train_lora"].test()
        assert run.state == "success"
        (job,) = cluster.jobs()
        result = verified_manifest(str(tmp_path / "artifacts" / "lora"))
        assert result["job"] == f"llm/{job['metadata']['name']}"
        assert result["metrics"]["steps"] == 2
