"""The story of the demo on the whole handbook with the real embedder, through the library alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from liftgate.access import apply_access
from liftgate.database import queries
from liftgate.errors import BrakeApplied, PromotionRefused
from liftgate.evaluation.evaluate import evaluate
from liftgate.evaluation.retrieve_for_questions import retrieve_for_questions
from liftgate.indexing import close_generation, index_changes
from liftgate.plan import plan_changes, stop_if_nothing_to_do
from liftgate.releases import outcomes, promotion
from liftgate.releases.ledger import release
from liftgate.releases.propose import propose_candidate
from liftgate.releases.rollback import resume, roll_back
from liftgate.releases.standing import behind_since
from liftgate.retrieval import Asked, retrieve
from liftgate.runs import Allowances, Run, Scope, freeze_configuration, load_run
from liftgate.runtime import Runtime
from liftgate.sources.listing import list_sources
from liftgate.turns import release_turn, take_turn
from liftgate.validation.steps import validate_chunks

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "handbook"
DOCUMENTS = 167


class Handbook:
    """A copy of the example, and whole runs over it."""

    def __init__(self, runtime: Runtime, folder: Path):
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("demo"))
        self.runtime, self.folder = runtime, folder
        self.file = folder / "knowledge_bases" / "handbook.yaml"
        self.settings: dict[str, Any] = yaml.safe_load(self.file.read_text())
        self.runs = 0

    def change(self, act: str) -> None:
        """Do to documents and access rules what changes.yaml lists."""
        for change in yaml.safe_load((self.folder / "changes" / "changes.yaml").read_text())[act]:
            path = self.folder / "documents" / change["uri"]
            if change["kind"] in ("edit", "add"):
                shutil.copy(self.folder / "changes" / change["file"], path)
            elif change["kind"] == "rename":
                path.rename(self.folder / "documents" / change["to"])
            elif change["kind"] == "delete":
                path.unlink()
            else:
                rule = {"path": change["uri"], "groups": change["groups"]}
                self.settings["access"]["rules"].insert(0, rule)
                self.write_settings()

    def write_settings(self) -> None:
        self.file.write_text(yaml.safe_dump(self.settings))

    def cut_by(self, **chunking: int) -> None:
        """Change the chunking."""
        self.settings["ingestion"]["chunking"] |= chunking
        self.write_settings()

    def run(self, opened: int | None = None) -> tuple[str, int]:
        """A run of kb_handbook: its end, and its candidate."""
        self.runs += 1
        run_id = f"kb_handbook:run-{self.runs}"
        freeze_configuration(self.runtime, self.file, run_id, Scope(), Allowances(opened=opened))
        run = load_run(self.runtime.database, run_id)
        list_sources(self.runtime, run)
        apply_access(self.runtime, run)
        if not self._index(run):
            return "nothing to do", 0
        validate_chunks(self.runtime, run)
        candidate = propose_candidate(self.runtime, run)
        return (self._judge(run, candidate), candidate) if candidate else ("equals live", 0)

    def _index(self, run: Run) -> bool:
        take_turn(self.runtime, run)
        try:
            batches = plan_changes(self.runtime, run)
            if not stop_if_nothing_to_do(self.runtime, run):
                return False
            for batch in batches:
                index_changes(self.runtime, run, batch)
            close_generation(self.runtime, run)
        finally:
            release_turn(self.runtime, run)
        return True

    def _judge(self, run: Run, candidate: int) -> str:
        evaluate(self.runtime, run, retrieve_for_questions(self.runtime, run, candidate))
        branch = promotion.decide(self.runtime, run, candidate)
        getattr(outcomes, branch)(self.runtime, run, candidate)
        return branch

    def query(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with self.runtime.database.transaction() as connection:
            return list(connection.execute(statement, values))  # type: ignore[arg-type]

    @property
    def live(self) -> int:
        return int(self.query("SELECT n FROM live_releases")[0]["n"])

    @property
    def counts(self) -> dict[str, int]:
        """What the last closed generation cost and holds."""
        found: dict[str, int] = self.query("SELECT counts FROM generations ORDER BY generation DESC LIMIT 1")[0][
            "counts"
        ]
        return found

    def outcome(self, n: int) -> str | None:
        with self.runtime.database.transaction() as connection:
            return release(connection, "handbook", n).outcome

    def uris(self, n: int, question: str, *groups: str) -> list[str]:
        """What a release finds for somebody."""
        with self.runtime.database.transaction() as connection:
            makeup = release(connection, "handbook", n).makeup
        return [hit.uri for hit in retrieve(self.runtime, makeup, [Asked(question, groups)])[0].chunks]


def first_run_is_promoted_on_its_floors(handbook: Handbook) -> None:
    assert handbook.run() == ("promote", 1)
    assert (handbook.counts["documents"], handbook.counts["opened"]) == (DOCUMENTS, DOCUMENTS)
    verdict = handbook.query("SELECT verdict FROM verdicts")[0]["verdict"]
    assert any("No baseline" in line for line in verdict["summary"])


def only_what_changed_costs_anything(handbook: Handbook) -> None:
    garden = "Who looks after the Lisbon garden project?"
    assert "offices/lisbon-garden-project.md" in handbook.uris(1, garden, "staff")
    handbook.change("first")
    assert handbook.run() == ("promote", 2)
    counts = handbook.counts
    kinds = {name: counts.get(name) for name in ("new", "changed", "moved", "removed")}
    assert kinds == {"new": 1, "changed": 1, "moved": 1, "removed": 2}
    changed = handbook.query(
        "SELECT count(*) AS n FROM chunks WHERE added_in = 2 AND uri IN ('it/vpn.md', 'offices/rooftop.md')"
    )
    assert counts["opened"] <= 3  # edited, new, and the renamed one: only its content tells what it is
    assert 0 < counts["embedded"] <= changed[0]["n"]
    for n in (1, 2):
        assert "offices/lisbon-garden-project.md" not in handbook.uris(n, garden, "staff")
        assert "offices/lisbon-garden-project.md" in handbook.uris(n, garden, "leadership")


def nothing_changed_costs_nothing(handbook: Handbook) -> None:
    before = handbook.query("SELECT count(*) AS n FROM releases")
    assert handbook.run() == ("nothing to do", 0)
    assert handbook.query("SELECT count(*) AS n FROM releases") == before
    assert (
        handbook.query("SELECT count(*) AS n FROM plan_items WHERE plan_id = (SELECT max(id) FROM plans)")[0]["n"] == 0
    )


def what_makes_retrieval_worse_is_stopped_by_its_cost_and_then_rejected(handbook: Handbook) -> None:
    usual = dict(handbook.settings["ingestion"]["chunking"])
    dogs = handbook.folder / "documents" / "offices" / "dogs.md"
    original = dogs.read_bytes()
    handbook.cut_by(chunk_size_tokens=150, chunk_overlap_tokens=20, min_chunk_tokens=60)
    handbook.change("second")
    with pytest.raises(BrakeApplied, match=str(DOCUMENTS)):
        handbook.run()
    assert handbook.run(opened=200) == ("reject", 3)
    checks = handbook.query("SELECT verdict -> 'checks' AS c FROM verdicts ORDER BY n DESC LIMIT 1")[0]["c"]
    recall = next(check for check in checks if check["name"] == "guard recall against baseline")
    assert recall["outcome"] == "fail"
    assert recall["estimate"] < -0.2
    assert handbook.live == 2
    assert handbook.run() == ("nothing to do", 0)
    assert is_behind(handbook)
    handbook.cut_by(**usual)
    dogs.write_bytes(original)
    assert handbook.run(opened=200) == ("equals live", 0)
    assert handbook.counts["embedded"] == 0
    assert not is_behind(handbook)


def is_behind(handbook: Handbook) -> bool:
    with handbook.runtime.database.transaction() as connection:
        return behind_since(connection, "handbook") is not None


def rollback_stays_until_somebody_resumes(handbook: Handbook) -> None:
    runtime = handbook.runtime
    assert roll_back(runtime, "handbook", 1, kind="drill", why="a drill", by="ada", run_id="roll_back_handbook:1") == 1
    handbook.change("third")
    assert handbook.run() == ("hold", 4)
    assert handbook.run() == ("nothing to do", 0)
    assert handbook.live == 1
    with pytest.raises(PromotionRefused, match="hold"):
        promotion.promote(runtime, "handbook", 2, by="ada", run_id="forward")
    assert resume(runtime, "handbook", by="ada", run_id="resume_handbook:1")
    assert promotion.promote(runtime, "handbook", 2, by="ada", run_id="forward") == "promoted"
    assert handbook.run() == ("promote", 5)
    assert [handbook.outcome(n) for n in (1, 2, 3, 4, 5)] == [
        "rolled_back",
        "promoted",
        "rejected",
        "superseded",
        "promoted",
    ]


def test_loop_keeps_its_promise_on_the_handbook(runtime: Runtime, tmp_path: Path) -> None:
    handbook = Handbook(runtime, tmp_path / "handbook")
    first_run_is_promoted_on_its_floors(handbook)
    only_what_changed_costs_anything(handbook)
    nothing_changed_costs_nothing(handbook)
    what_makes_retrieval_worse_is_stopped_by_its_cost_and_then_rejected(handbook)
    rollback_stays_until_somebody_resumes(handbook)
    with runtime.database.transaction() as connection:
        kinds = [event["kind"] for event in queries().events(connection, kb="handbook")]
    assert kinds.count("promoted") == 4
    assert kinds[-1] == "promoted"
