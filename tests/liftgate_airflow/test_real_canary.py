"""A canary under a real scheduler and triggerer: it waits for longer than its triggerer lives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_airflow import Real, real_airflow

sys.path.insert(0, str(Path(__file__).parents[1] / "liftgate"))

from canaries import HALF, better_adapter, reported
from judged_knowledge_base import JudgedKnowledgeBase

from liftgate.releases.canary_steps import start_canary
from liftgate.runs import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

CANARY, WAITS = "canary_tried", "wait_for_outcomes"
SECONDS = 45
FINDS_NEW_FILES = {"AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3"}
DAGS = """
from pathlib import Path

from airflow.sdk import DAG

from liftgate.config.reading import read_adapter
from liftgate_airflow.building import dags_of
from liftgate_airflow.flows.canary import canary

globals().update(dags_of(Path(__file__).parent / "adapters", read_adapter, {"canary_": canary}))
"""


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    with real_airflow(tmp_path / "real", settings=FINDS_NEW_FILES) as made:
        yield made


def test_a_canary_outlasts_its_triggerer_and_its_adapter_goes_live(real: Real, tmp_path: Path) -> None:
    judged = JudgedKnowledgeBase(real.runtime, tmp_path / "tried", "tried")
    asked_for, candidate = better_adapter(judged, canary={**HALF, "hours": SECONDS / 3600}, file="tried")
    add_dags(real, judged)
    start(judged, asked_for, candidate)
    run = real.api.trigger(CANARY, {"release": candidate})
    real.until(lambda: states(real, run).get(WAITS) == "deferred")
    with real.without_triggerer():
        assert judged.live() == 1
    assert real.end(run, CANARY) == "success", states(real, run)
    assert judged.live() == candidate
    events = real.api._call("GET", "/assets/events", params={"source_dag_id": CANARY})["asset_events"]
    assert sorted(event["uri"] for event in events) == ["liftgate://tried/adapter", "liftgate://tried/release"]


def add_dags(real: Real, judged: JudgedKnowledgeBase) -> None:
    """The DAG file comes last, since it reads the others."""
    for name in ("knowledge_bases/tried.yaml", "adapters/tried.yaml"):
        real.add_file(name, (judged.folder / name).read_text().replace("../", f"{judged.folder}/"))
    real.add_file("adapter.py", DAGS)
    real.until(lambda: CANARY in real.api.dag_ids())


def start(judged: JudgedKnowledgeBase, run: Run, candidate: int) -> None:
    """Give it to half of the readers, who are as content with it as the others are."""
    assert start_canary(judged.runtime, run, candidate) != "superseded"
    assert reported(judged, canary=0.9, live=0.9) > 0


def states(real: Real, run: str) -> dict[str, Any]:
    return {task.task_id: task.state for task in real.api.tasks(CANARY, run)}
