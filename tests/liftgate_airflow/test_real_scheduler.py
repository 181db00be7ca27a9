"""One knowledge base under a real scheduler, triggerer and API server: what `dag.test` does otherwise or not at all.

By the clock, by a watcher, by an event, by hand and as a backfill: one DAG. The tests are chapters of one story, since
an Airflow takes long to start.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from real_airflow import DAG, ENDED, USER, Real, real_airflow
from statsd_server import StatsD, listening

sys.path.insert(0, str(Path(__file__).parents[1] / "liftgate"))

from judged_knowledge_base import JudgedKnowledgeBase

from liftgate.releases.approval import ask_for_approval
from liftgate.releases.ledger import lock_ledger, record
from liftgate.releases.promotion import decide
from liftgate.runs import Allowances, Scope, freeze_configuration
from liftgate.turns import Turn, release_turn, take_turn

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

LONG_AGO = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=10)
APPROVE = "approve_asked"
SETTINGS = "watch: {poll_seconds: 1, settle_seconds: 2}\n"
OWN_DAG = """
from pathlib import Path

from airflow.sdk import DAG

from liftgate_airflow.sensors.documents import DocumentsChangedSensor

file = Path(__file__).parent / "knowledge_bases" / "small.yaml"
with DAG("waits", schedule=None, is_paused_upon_creation=False):
    DocumentsChangedSensor(task_id="wait", knowledge_base=str(file), poll_seconds=1, settle_seconds=1)
"""


@pytest.fixture(scope="module")
def metrics() -> Iterator[StatsD]:
    with listening() as made:
        yield made


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, metrics: StatsD) -> Iterator[Real]:
    with real_airflow(tmp_path_factory.mktemp("real"), SETTINGS, OWN_DAG, metrics.settings) as made:
        yield made


@contextmanager
def somebody_else_writes(real: Real) -> Iterator[None]:
    file = real.workspace.handbook / "knowledge_bases" / "small.yaml"
    other = freeze_configuration(real.runtime, file, f"{DAG}:somebody", Scope(), Allowances())
    assert isinstance(take_turn(real.runtime, other), Turn)
    yield
    release_turn(real.runtime, other)


def test_by_the_clock_one_run_makes_up_for_all_missed_ones_and_waits_for_its_turn(real: Real) -> None:
    for name in ("a.md", "b.md", "c.md"):
        real.write(name, f"The {name} lamp stands on the second floor, beside the green door.", datetime.now(UTC))
    for day in range(3):
        real.write(f"old{day}.md", f"The old lamp {day} stands in the cellar, untouched.", LONG_AGO + timedelta(day))
    with somebody_else_writes(real):
        real.api.pause(DAG, False)
        first = real.new_run("scheduled")
        real.parse_again()
        real.until(lambda: real.task(first, "wait_for_turn") == "deferred")
        assert f"waiting for {DAG}:somebody, whose turn lasts until" in real.log(first, "wait_for_turn")
    cost = real.ended(first)
    assert (cost.kind, cost.opened) == ("index", 6)
    assert real.runs("scheduled") == [first]
    assert real.names(first, "index_changes") == ["1-6 of 6: a.md ..."]


def test_what_a_run_did_reaches_statsd_from_its_task(real: Real, metrics: StatsD) -> None:
    real.until(lambda: "liftgate.documents_opened.small:6|c" in metrics.ours())
    assert "liftgate.chunks_embedded.small:6|c" in metrics.ours()


def test_watcher_that_was_stopped_misses_nothing_and_a_burst_makes_one_run(real: Real) -> None:
    duplicate = real.new_run("asset_triggered")
    assert real.ended(duplicate).kind == "nothing"
    waits = real.api.trigger("waits", {})
    real.until(lambda: [task.state for task in real.api.tasks("waits", waits)] == ["deferred"])
    with real.without_triggerer():
        real.write("b.md", "The blue lamp stands on the third ", datetime.now(UTC))
        real.write("b.md", "The blue lamp stands on the third floor now.", datetime.now(UTC))
        real.write("d.md", "The new lamp stands beside it.", datetime.now(UTC))
    assert real.end(waits, "waits") == "success"
    assert real.ended(real.new_run("asset_triggered", 2)).opened == 2
    assert real.uris() == ["a.md", "b.md", "c.md", "d.md", "old0.md", "old1.md", "old2.md"]


def test_backfill_parses_the_documents_of_each_interval_again_the_earliest_first(real: Real) -> None:
    before = len(real.runs("asset_triggered"))
    with somebody_else_writes(real):
        body = {"dag_id": DAG, "from_date": _midnight(LONG_AGO), "to_date": _midnight(LONG_AGO, days=3)}
        real.api._call("POST", "/backfills", json={**body, "reprocess_behavior": "none", "run_backwards": True})
        real.until(lambda: len(real.runs("backfill")) == 3)
        runs = sorted(real.runs("backfill"))
        real.until(lambda: all(real.task(run, "wait_for_turn") == "deferred" for run in runs))
    for run in runs:
        assert real.ended(run).opened == 1
    assert [row["run_id"] for row in _plans(real) if "backfill" in row["run_id"]] == [f"{DAG}:{run}" for run in runs]
    assert real.uris() == ["a.md", "b.md", "c.md", "d.md", "old0.md", "old1.md", "old2.md"]
    assert len(real.runs("asset_triggered")) == before


def test_a_file_that_breaks_stops_new_runs_and_none_that_has_begun(real: Real) -> None:
    file = real.workspace.handbook / "knowledge_bases" / "small.yaml"
    right = file.read_text()
    real.until(lambda: all(run.state in ENDED for run in real.api.runs(DAG)))
    with somebody_else_writes(real):
        begun = real.api.trigger(DAG, {})
        real.until(lambda: real.task(begun, "wait_for_turn") == "deferred")
        real.add_file("knowledge_bases/small.yaml", f"{right}brakes: {{max_removed_shares: 1}}\n")
        read_again(real, "no new run can begin")
    real.ended(begun)
    new = real.api.trigger(DAG, {})
    assert real.end(new, DAG) == "failed"
    assert "brakes.max_removed_shares: there is no such setting" in real.log(new, "freeze_configuration")
    real.add_file("knowledge_bases/small.yaml", right)
    read_again(real, "Bring the index up to date")


def read_again(real: Real, page: str) -> None:
    """Have Airflow read the DAG's file until it shows this page: it stores no DAG twice within half a minute."""

    def is_shown() -> bool:
        real.parse_again()
        time.sleep(4)
        return page in real.api._call("GET", f"/dags/{DAG}/details")["doc_md"]

    real.until(is_shown)


def test_batch_of_an_ended_run_is_cleared_and_nothing_is_written_twice(real: Real) -> None:
    rows, run = _rows(real), real.runs("asset_triggered")[1]
    body = {"dag_run_id": run, "task_ids": ["index_changes"], "only_failed": False, "include_downstream": True}
    real.api._call("POST", f"/dags/{DAG}/clearTaskInstances", json={**body, "dry_run": False})
    real.until(lambda: real.api.run(DAG, run).state not in ENDED)
    real.ended(run)
    assert _rows(real) == rows


def test_what_is_live_is_told_to_those_who_may_know(real: Real) -> None:
    """Where to read, with the filter of the release; nothing of it without a login."""
    url = f"{real.api._http.base_url}/liftgate/live/small"
    assert httpx.get(url).status_code == 401
    login = {"Authorization": real.api._http.headers["Authorization"]}
    assert httpx.get(url, headers=login).status_code == 404
    with real.runtime.database.transaction() as connection:
        lock_ledger(connection, "small")
        record(connection, "small", "promoted", by="test", run_id="test", release=1)
    found = httpx.get(url, headers=login).json()
    assert (found["release"], found["generation"], found["provider"]) == (1, 1, "pgvector")
    assert found["collection"].startswith("kb_chunks_small_g1_")
    assert [operand["valueInt"] for operand in found["where"]["operands"]] == [1, 1]
    assert httpx.get(url.replace("small", "other"), headers=login).status_code in (403, 404)


def test_a_person_answers_and_the_release_goes_live_with_their_name_in_the_ledger(real: Real, tmp_path: Path) -> None:
    candidate = candidate_that_waits(real, tmp_path)
    real.parse_again()
    real.until(lambda: APPROVE in real.api.dag_ids())
    run = real.api.trigger(APPROVE, {"release": candidate})
    task = f"/dags/{APPROVE}/dagRuns/{run}/taskInstances/wait_for_answer"
    real.until(lambda: real.api._call("GET", task)["state"] == "awaiting_input")
    question = real.api._call("GET", f"{task}/-1/hitlDetails")
    assert question["subject"] == "Shall release 2 of asked go live?"
    assert question["body"].startswith("**Promote: ")
    assert [user["id"] for user in question["assigned_users"]] == [USER]
    time.sleep(2)  # as a person: Airflow loses an answer that comes before its scheduler knows that the task is parked
    real.api._call("PATCH", f"{task}/-1/hitlDetails", json={"chosen_options": ["promote"], "params_input": {}})
    real.until(lambda: real.api.run(APPROVE, run).state in ENDED)
    tasks = {task.task_id: task.state for task in real.api.tasks(APPROVE, run)}
    assert (real.api.run(APPROVE, run).state, tasks["promote"], tasks["reject"]) == ("success", "success", "skipped")
    assert _approvals(real) == [{"by_whom": USER, "release": candidate, "live": candidate}]
    events = real.api._call("GET", "/assets/events", params={"source_dag_id": APPROVE})["asset_events"]
    assert sorted(event["uri"] for event in events) == ["liftgate://asked/index", "liftgate://asked/release"]


def candidate_that_waits(real: Real, folder: Path) -> int:
    """A candidate that the gate would promote, of a knowledge base that wants a person's word."""
    made = JudgedKnowledgeBase(real.runtime, folder / "asked", "asked")
    made.write_settings(approval={"users": [USER]})
    made.retrieve_by(top_k=4)
    run, candidate = made.judge()
    assert decide(made.runtime, run, candidate) == "ask_for_approval"
    real.add_file("knowledge_bases/asked.yaml", made.file.read_text().replace("../", f"{made.folder}/"))
    ask_for_approval(made.runtime, run, candidate)
    return candidate


def _approvals(real: Real) -> list[dict[str, Any]]:
    statement = """
        SELECT e.by_whom, e.release, l.n AS live FROM events e JOIN live_releases l USING (kb)
         WHERE kb = 'asked' AND kind = 'approved'
    """
    with real.runtime.database.transaction() as connection:
        return list(connection.execute(statement).fetchall())


def _plans(real: Real) -> list[dict[str, str]]:
    with real.runtime.database.transaction() as connection:
        return list(connection.execute("SELECT run_id FROM plans ORDER BY id").fetchall())


def _rows(real: Real) -> int:
    with real.runtime.database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n FROM chunks").fetchone()
    assert row
    return int(row["n"])


def _midnight(day: datetime, days: int = 0) -> str:
    return (day.replace(hour=0) + timedelta(days=days)).isoformat()
