"""The flows through `dag.test()`, over a small knowledge base with the real embedder, database and suites."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from databases import Databases
from webhooks import Receiver, receiving

from liftgate.releases.rollback import resume, roll_back
from liftgate.runs import Allowances, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate.turns import Turn, release_turn, take_turn

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BIRDS = """
    falcon heron sparrow pelican ostrich penguin raven pigeon swallow magpie toucan parrot flamingo kestrel vulture
    albatross cormorant puffin robin nightingale woodpecker hummingbird peacock pheasant quail stork ibis osprey
    condor cuckoo lapwing kingfisher
""".split()  # noqa: SIM905
SUPERSEDED = """
from liftgate_airflow.building import configuration_files
from liftgate_airflow.dag import asset, liftgate_dag
from liftgate_airflow.flows.outcome import outcome, promotion
from liftgate_airflow.step import freeze_configuration
from pathlib import Path

with liftgate_dag("late_promotion", page="test", schedule=None) as dag:
    path = configuration_files(Path(__file__).parent / "knowledge_bases")["small"]
    freeze_configuration(path) >> outcome(3, promotion(3, emits=[asset("small", "release")]))
"""


@dataclass
class Installation:
    """A bundle with one knowledge base, and an Airflow whose connection leads to the runtime's database."""

    bundle: Path
    runtime: Runtime
    parse: Callable[[Path], dict[str, Any]]
    receiver: Receiver

    @property
    def file(self) -> Path:
        return self.bundle / "knowledge_bases" / "small.yaml"

    def change(self, block: str, **settings: Any) -> None:
        values = yaml.safe_load(self.file.read_text())
        values.setdefault(block, {}).update(settings)
        self.file.write_text(yaml.safe_dump(values))

    def run(self, dag_id: str, **params: Any) -> tuple[str, dict[str, str]]:
        """One run of a DAG: its state, and the state of each task that ran."""
        made = self.parse(self.bundle)[dag_id].test(run_conf=params or None)
        return str(made.state.value), {
            ti.task_id: str(ti.state) for ti in made.get_task_instances() if ti.state not in (None, "skipped")
        }

    def tries(self, dag_id: str, task_id: str) -> int:
        """How often the task was tried in the newest run."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        with create_session() as session:
            found = session.query(TaskInstance).filter_by(dag_id=dag_id, task_id=task_id)
            return int(found.order_by(TaskInstance.start_date.desc()).first().try_number)

    def runs_again(self, dag_id: str) -> list[str]:
        """The runs that another run of the same DAG started."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session

        with create_session() as session:
            found = session.query(DagRun.run_id).filter_by(dag_id=dag_id).all()
        return [run_id for (run_id,) in found if run_id.startswith("after__")]

    def runs_of(self, dag_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Id and params of every run of a DAG."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session

        with create_session() as session:
            return [(run.run_id, run.conf) for run in session.query(DagRun).filter_by(dag_id=dag_id)]

    def events(self) -> list[str]:
        """The asset events of this knowledge base so far."""
        from airflow.models.asset import AssetEvent
        from airflow.utils.session import create_session

        with create_session() as session:
            uris = sorted(event.asset.uri for event in session.query(AssetEvent))
        return [uri for uri in uris if uri.startswith("liftgate://small/")]

    def waiting(self) -> list[str]:
        """The runs that stand in the queue for the turn."""
        with self.runtime.database.transaction() as connection:
            return [row["run_id"] for row in connection.execute("SELECT run_id FROM turn_queue")]

    def rows(self) -> list[int]:
        """How many rows there are of what a run writes."""
        tables = ("listings", "listed_documents", "document_access", "plans", "generations", "chunks", "events")
        with self.runtime.database.transaction() as connection:
            counts = [connection.execute(f"SELECT count(*) AS n FROM {table}").fetchone() for table in tables]
        return [row["n"] for row in counts if row]

    def live(self) -> int | None:
        with self.runtime.database.transaction() as connection:
            row = connection.execute("SELECT n FROM live_releases WHERE kb = 'small'").fetchone()
        return row["n"] if row else None


@pytest.fixture(scope="module")
def installation(
    databases: Databases, airflow_metadata: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """An installation that the tests of this module use one after the other."""
    from airflow.dag_processing.dagbag import DagBag

    folder, bundle = tmp_path_factory.mktemp("loop"), airflow_metadata
    for file in (ROOT / "dags").glob("*.py"):
        shutil.copy(file, bundle)
    (bundle / "late_promotion.py").write_text(SUPERSEDED)
    _write(bundle, folder)
    extras = {"files_url": str(folder / "files"), "models_dir": str(ROOT / ".models")}
    options = dict(parse_qsl(urlsplit(databases.server_url).query))
    address = {"conn_type": "postgres", "login": "postgres", "schema": "loop", "extra": {**options, **extras}}
    settings = Settings(database_url=databases.make("loop"), **extras)
    runtime = Runtime(settings)
    runtime.database.upgrade()

    def parse(bundle: Path) -> dict[str, Any]:
        return dict(DagBag(bundle, bundle_path=bundle).dags)

    with pytest.MonkeyPatch.context() as patch, receiving() as receiver:
        patch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps(address))
        patch.setenv("AIRFLOW_CONN_CHAT", receiver.connection)
        yield Installation(bundle, runtime, parse, receiver)
    databases.done("loop")


def _write(bundle: Path, folder: Path) -> None:
    (folder / "documents").mkdir()
    questions = []
    for number, bird in enumerate(BIRDS):
        text = f"# The {bird} desk\n\nThe {bird} desk opens at {number + 100} sharp.\n"
        (folder / "documents" / f"{bird}.md").write_text(text)
        asked = {
            "id": bird,
            "question": f"When does the {bird} desk open?",
            "family": f"{bird}.md",
            "groups": ["staff"],
        }
        expected = {"expected": "answer", "sources": [f"{bird}.md"], "quote": f"opens at {number + 100}"}
        questions.append({**asked, **expected, "must_contain": [[str(number + 100)]], "judged": ["retrieval"]})
    (folder / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    (folder / "prompt.md").write_text("---\nrefusal: I cannot answer this.\n---\n$context\n\n$question\n")
    (bundle / "knowledge_bases").mkdir()
    configuration = {
        "name": "small",
        "indexing": {"batch_documents": 20},
        "ingestion": {
            "source": {"type": "folder", "path": str(folder / "documents")},
            "retrieval_defaults": {"top_k": 3},
        },
        "access": {"default_groups": ["staff"]},
        "questions": {"file": str(folder / "questions.jsonl")},
        "gate": {"floors": {"recall": 0.7}, "guards": [{"metric": "recall"}]},
        "answers": {"prompt": str(folder / "prompt.md")},
        "notify": [{"when": ["brake", "rolled_back", "held", "rejected"], "conn_id": "chat"}],
    }
    (bundle / "knowledge_bases" / "small.yaml").write_text(yaml.safe_dump(configuration))


def test_first_run_promotes_and_emits_its_assets(installation: Installation) -> None:
    state, tasks = installation.run("kb_small")
    assert state == "success", tasks
    assert {"reject", "hold"}.isdisjoint(tasks)
    assert tasks["promote"] == tasks["notify"] == tasks["release_turn"] == "success"
    assert installation.live() == 1
    assert installation.events() == ["liftgate://small/index", "liftgate://small/release"]


def test_run_with_nothing_to_do_ends_in_success_and_gives_the_turn_back(installation: Installation) -> None:
    state, tasks = installation.run("kb_small")
    assert state == "success"
    assert tasks["release_turn"] == "success"
    assert "index_changes" not in tasks
    assert "notify" not in tasks


def test_brake_fails_at_the_first_try_and_its_param_lets_it_pass(installation: Installation) -> None:
    installation.change("ingestion", chunking={"chunk_size_tokens": 100, "chunk_overlap_tokens": 20})
    state, tasks = installation.run("kb_small")
    assert (state, tasks["plan_changes"], tasks["release_turn"]) == ("failed", "failed", "success")
    assert installation.tries("kb_small", "plan_changes") == 1
    assert installation.live() == 1
    ((occasion, text),) = installation.receiver.told()
    assert (occasion, "allow_opened_up_to: 32" in text) == ("brake", True)
    state, tasks = installation.run("kb_small", allow_opened_up_to=len(BIRDS))
    assert state == "success", tasks
    assert tasks["index_changes"] == "success"


def test_dry_run_says_what_would_be_done_and_touches_nothing(installation: Installation) -> None:
    before = installation.rows()
    state, tasks = installation.run("kb_small", dry_run=True, force=True)
    assert state == "success", tasks
    assert set(tasks) == {"freeze_configuration", "stop_if_dry_run"}
    assert installation.rows() == before


def test_run_waits_in_the_triggerer_until_the_turn_is_free(installation: Installation) -> None:
    runtime, config = installation.runtime, installation.file
    other = freeze_configuration(runtime, config, "kb_small:other", Scope(), Allowances())
    assert isinstance(take_turn(runtime, other), Turn)
    waited: list[str] = []

    def give_way() -> None:
        while not (waiting := installation.waiting()):
            pass
        waited.extend(waiting)
        release_turn(runtime, other)

    holder = Thread(target=give_way, daemon=True)
    holder.start()
    state, tasks = installation.run("kb_small")
    assert (state, tasks["wait_for_turn"], tasks["release_turn"]) == ("success", "success", "success")
    assert [run.partition(":")[0] for run in waited] == ["kb_small"]
    assert installation.waiting() == []


def test_rollback_and_resume_by_their_dags(installation: Installation) -> None:
    installation.change("ingestion", retrieval_defaults={"top_k": 4})
    assert installation.run("kb_small")[0] == "success"
    assert installation.live() == 3
    state, tasks = installation.run("roll_back_small", to_release=1, kind="drill", why="to see that it works")
    assert (state, installation.live()) == ("success", 1)
    assert installation.receiver.told()[-1][0] == "rolled_back"
    assert set(tasks) == {"roll_back", "needs_verdict"}
    assert installation.run("resume_small", why="seen")[0] == "success"
    state, _ = installation.run("roll_back_small", to_release=99, kind="drill", why="no such release")
    assert (state, installation.live()) == ("failed", 1)
    assert installation.tries("roll_back_small", "roll_back") == 1


def test_candidate_that_was_overtaken_is_skipped_and_emits_nothing(installation: Installation) -> None:
    before = installation.events()
    state, tasks = installation.run("late_promotion")
    assert state == "success"
    assert set(tasks) == {"freeze_configuration", "decide", "needs_new_run"}
    assert installation.live() == 1
    assert installation.events() == before


def test_candidate_whose_parent_moved_after_its_verdict_starts_one_more_run(installation: Installation) -> None:
    runtime, why = installation.runtime, {"why": "test", "by": "test"}
    for n in (3, 1):
        roll_back(runtime, "small", n, kind="drill", run_id=f"to {n}", **why)
    assert "hold" in installation.run("kb_small")[1]
    roll_back(runtime, "small", 3, kind="drill", run_id="meanwhile", **why)
    resume(runtime, "small", run_id="resume", **why)
    (installation.bundle / "late_promotion.py").write_text(SUPERSEDED.replace("(3, ", "(4, "))
    state, tasks = installation.run("late_promotion")
    assert (state, tasks["needs_new_run"], tasks["run_again"]) == ("success", "success", "success")
    assert len(installation.runs_again("late_promotion")) == 1
    assert installation.live() == 3


def test_rollback_of_one_part_makes_a_release_that_is_judged_at_once(installation: Installation) -> None:
    asked = {"to_release": 1, "kind": "drill", "why": "only the index", "part": "retrieval"}
    state, tasks = installation.run("roll_back_small", **asked)
    assert (state, tasks["judge_release"]) == ("success", "success")
    with installation.runtime.database.transaction() as connection:
        judged = connection.execute("SELECT release FROM verdicts ORDER BY n DESC").fetchone()
    assert judged == {"release": installation.live()}


def test_broken_configuration_fails_with_all_that_is_wrong(installation: Installation) -> None:
    broken = installation.bundle / "knowledge_bases" / "broken.yaml"
    broken.write_text("name: broken\n")
    try:
        state, tasks = installation.run("kb_broken")
        assert (state, tasks["freeze_configuration"], tasks["release_turn"]) == ("failed", "failed", "upstream_failed")
    finally:
        broken.unlink()


def test_housekeeping_prunes_and_compares(installation: Installation) -> None:
    state, tasks = installation.run("housekeeping")
    assert state == "success", tasks
    assert tasks["small.prune"] == tasks["small.compare_newest"] == "success"


def test_run_whose_candidate_needs_approval_ends_and_one_question_is_asked(installation: Installation) -> None:
    resume(installation.runtime, "small", by="test", run_id="resume at last")
    live = installation.live()
    installation.change("approval", of=["retrieval"])
    installation.change("ingestion", retrieval_defaults={"top_k": 5})
    state, tasks = installation.run("kb_small")
    assert (state, tasks["ask_for_approval"], tasks["start_approval"]) == ("success", "success", "success"), tasks
    assert "promote" not in tasks
    assert installation.live() == live
    ((run_id, conf),) = installation.runs_of("approve_small")
    assert run_id.startswith(f"release_{conf['release']}__evaluation_")
    state, tasks = installation.run("kb_small")
    assert (state, tasks.get("propose_candidate")) == ("success", None)
    assert len(installation.runs_of("approve_small")) == 1
