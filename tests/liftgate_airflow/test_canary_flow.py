"""A canary through `dag.test()`: started in place of a promotion, waited for, judged, promoted."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import Databases
from psycopg.conninfo import conninfo_to_dict

sys.path.insert(0, str(Path(__file__).parents[1] / "liftgate"))

from canaries import HALF, better_adapter, reported
from judged_knowledge_base import JudgedKnowledgeBase
from trained_adapter import adapter_run

from liftgate.database import Database
from liftgate.releases.canary_steps import judge_canary, start_canary
from liftgate.runs import freeze_as_before
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate_airflow.triggers.outcomes import OutcomesTrigger

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SECONDS = 15
JUDGED = """
from pathlib import Path

from liftgate_airflow.dag import asset, liftgate_dag
from liftgate_airflow.flows.outcome import outcome, promotion
from liftgate_airflow.step import freeze_configuration

with liftgate_dag("adapter_judged", page="test", schedule=None) as dag:
    path = Path(__file__).parent / "adapters" / "small.yaml"
    freeze_configuration(path) >> outcome(2, promotion(2, emits=[asset("small", "release")]), canary=True)
"""


@pytest.fixture
def judged(databases: Databases, migrated: str, tmp_path: Path) -> Iterator[JudgedKnowledgeBase]:
    """A knowledge base in whose ledger an adapter has its verdict."""
    settings = {"files_url": str(tmp_path / "files"), "models_dir": str(ROOT / ".models")}
    made = JudgedKnowledgeBase(
        Runtime(Settings(database_url=databases.make("canary", migrated), **settings)), tmp_path / "small"
    )
    better_adapter(made, canary={**HALF, "hours": SECONDS / 3600})
    at = conninfo_to_dict(made.runtime.database.url)
    connection = {"conn_type": "postgres", "host": at["host"], "login": at["user"], "schema": "canary"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps({**connection, "extra": settings}))
        yield made
    made.runtime.database.close()
    databases.done("canary")


@pytest.fixture
def run(judged: JudgedKnowledgeBase, airflow_metadata: Path) -> Iterator[Callable[..., dict[str, str]]]:
    """One run of a DAG of the installation: the state of each task that ran."""
    bundle = airflow_metadata / "canary"
    for folder in ("knowledge_bases", "adapters"):
        (bundle / folder).mkdir(parents=True)
        text = (judged.folder / folder / "small.yaml").read_text()
        (bundle / folder / "small.yaml").write_text(text.replace("../", f"{judged.folder}/"))
    shutil.copy(ROOT / "dags" / "adapter.py", bundle)
    (bundle / "judged.py").write_text(JUDGED)

    def once(dag_id: str, **params: Any) -> dict[str, str]:
        from airflow.dag_processing.dagbag import DagBag

        made = DagBag(bundle, bundle_path=airflow_metadata).dags[dag_id].test(run_conf=params or None)
        tasks = {ti.task_id: str(ti.state) for ti in made.get_task_instances()}
        assert made.state == "success", tasks
        return {name: state for name, state in tasks.items() if state not in ("None", "skipped")}

    yield once
    shutil.rmtree(bundle)


def started_runs(dag_id: str) -> list[tuple[str, dict[str, Any]]]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return [(run.run_id, run.conf) for run in session.query(DagRun).filter_by(dag_id=dag_id)]


def test_a_canary_is_started_waited_for_judged_and_its_adapter_goes_live(
    judged: JudgedKnowledgeBase, run: Callable[..., dict[str, str]]
) -> None:
    tasks = run("adapter_judged")
    assert (tasks["start_canary"], tasks["trigger_canary"], "promote" in tasks) == ("success", "success", False)
    event = judged.query("SELECT n, release FROM events WHERE kind = 'canary_started'")[0]
    name = f"release_2__canary_{event['n']}"
    about = {"adapter": "small", "release": 2, "canary": event["n"], "run": name}
    assert started_runs("canary_small") == [(name, about)]
    reported(judged, canary=0.9, live=0.9)
    assert judged.live() == 1
    tasks = run("canary_small", release=2)
    assert {"wait_for_outcomes", "judge_canary", "decide", "promote", "notify"} <= set(tasks)
    assert judged.live() == 2
    lasted = judged.query(
        "SELECT extract(epoch FROM e.at - s.at) AS seconds FROM events s, events e "
        "WHERE s.kind = 'canary_started' AND e.kind = 'canary_ended'"
    )
    assert lasted[0]["seconds"] >= SECONDS


async def fired(trigger: OutcomesTrigger, and_then: Callable[[], object]) -> None:
    """A trigger, made anew as after a restart, waits until something happens, and fires then."""
    path, given = trigger.serialize()
    assert path.endswith(OutcomesTrigger.__name__)
    waits = asyncio.create_task(anext(OutcomesTrigger(**json.loads(json.dumps(given))).run()))
    await asyncio.sleep(0.5)
    assert not waits.done()
    await asyncio.to_thread(and_then)
    async with asyncio.timeout(30):
        await waits


def test_a_triggerer_that_starts_again_waits_on_until_harm_is_seen(judged: JudgedKnowledgeBase) -> None:
    adapter_run(judged, file={"canary": HALF})
    run = freeze_as_before(judged.runtime, "small", "canary_small:harm")
    start_canary(judged.runtime, run, 2)
    trigger = OutcomesTrigger(run.run_id, 2, poll_seconds=0.1)
    asyncio.run(fired(trigger, lambda: reported(judged, canary=0.2, live=0.9)))
    assert judge_canary(judged.runtime, run, 2) == 2


async def of(*states: str) -> set[str]:
    return set(states)


def test_marking_the_waiting_task_as_failed_ends_the_canary_and_clearing_it_does_not(
    judged: JudgedKnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = freeze_as_before(judged.runtime, "small", "canary_small:killed")
    start_canary(judged.runtime, run, 2)
    trigger = OutcomesTrigger(run.run_id, 2, poll_seconds=0.1)
    for state in ("scheduled", "success", "deferred"):
        monkeypatch.setattr("liftgate_airflow.triggers.outcomes.states_of", lambda _, found=state: of(found))
        asyncio.run(trigger.on_kill())
    assert not judged.events("canary_ended")
    monkeypatch.setattr("liftgate_airflow.triggers.outcomes.states_of", lambda _: of("failed"))
    asyncio.run(fired(trigger, lambda: asyncio.run(trigger.on_kill())))
    (event,) = judged.query("SELECT by_whom, why FROM events WHERE kind = 'canary_ended'")
    assert event["why"] == "Failed: ended by airflow: its task in Airflow was marked as failed."
    assert judged.release(2).outcome == "rejected"


def test_a_database_that_does_not_answer_for_a_while_ends_no_wait(
    judged: JudgedKnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, looks = Database("postgresql://nobody@127.0.0.1:1/none"), [1, 2]

    def seconds_left(*_: object) -> float:
        if looks:
            looks.pop()
            with silent.transaction():
                raise AssertionError("it answers")
        return 0

    async def waits() -> object:
        return await anext(OutcomesTrigger("canary_small:silent", 2, poll_seconds=0.01).run())

    monkeypatch.setattr(OutcomesTrigger, "_seconds_left", seconds_left)
    assert asyncio.run(waits())
    assert not looks
