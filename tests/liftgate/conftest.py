"""A small knowledge base that goes through every real step, without waiting for a model.

Texts are "embedded" by putting vectors into the embedding cache first, under the real embedder's fingerprint, so that
the steps find them there and load no model.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from liftgate.access import apply_access
from liftgate.database import queries
from liftgate.embedding import text_hash
from liftgate.evaluation.evaluate import evaluate
from liftgate.evaluation.retrieve_for_questions import retrieve_for_questions
from liftgate.generations import last_closed
from liftgate.index.rows import Vector
from liftgate.indexing import close_generation, index_changes
from liftgate.pieces import pieces_of
from liftgate.plan import plan_changes, stop_if_nothing_to_do
from liftgate.plan.planned import newest_plan
from liftgate.releases import outcomes
from liftgate.releases.ledger import release
from liftgate.releases.promotion import decide
from liftgate.releases.propose import propose_candidate
from liftgate.runs import Allowances, Run, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate.sources.listing import list_sources
from liftgate.turns import Turn, release_turn, take_turn

PROMPT = "---\nrefusal: I cannot answer this.\n---\n$context\n\n$question\n"
QUESTION = {
    "id": "q-1",
    "question": "How long is the leave?",
    "family": "leave.md",
    "groups": ["staff"],
    "expected": "answer",
    "sources": ["leave.md"],
    "quote": "sixteen weeks",
    "must_contain": [["sixteen weeks"]],
    "judged": ["retrieval", "answers"],
}


class SmallKnowledgeBase:
    """Documents, configuration, and runs over them."""

    def __init__(self, runtime: Runtime, folder: Path):
        self.runtime = runtime
        self.folder = folder
        self.file = folder / "knowledge_bases" / "small.yaml"
        self.runs = 0
        (folder / "documents").mkdir(parents=True)
        self.file.parent.mkdir()
        (folder / "prompt.md").write_text(PROMPT)
        (folder / "questions.jsonl").write_text(json.dumps(QUESTION) + "\n")
        self.settings: dict[str, object] = {
            "name": "small",
            "ingestion": {"source": {"type": "folder", "path": "../documents"}, "embeddings": {}},
            "access": {"default_groups": ["staff"], "rules": [{"path": "secret/**", "groups": ["board"]}]},
            "questions": {"file": "../questions.jsonl"},
            "answers": {"prompt": "../prompt.md"},
            "brakes": {"max_removed_share": 1, "max_widened_share": 1, "max_opened_share": 1},
            "retention": {"keep_releases": 1, "keep_hours": 0},
        }
        self.write_settings()

    def write_settings(self, **more: object) -> None:
        """Change settings of the file."""
        self.settings |= more
        self.file.write_text(yaml.safe_dump(self.settings))

    def write(self, uri: str, text: str | None) -> None:
        """Write a document, or (None) delete it."""
        path = self.folder / "documents" / uri
        path.parent.mkdir(exist_ok=True)
        path.unlink() if text is None else path.write_text(text)

    def start(self, **scope: object) -> Run:
        """The first steps of a run, up to the turn."""
        self.runs += 1
        run_id = f"kb_small:run-{self.runs}"
        run = freeze_configuration(self.runtime, self.file, run_id, Scope.model_validate(scope), Allowances())
        list_sources(self.runtime, run)
        apply_access(self.runtime, run)
        return run

    def index(self, **scope: object) -> Run:
        """A run up to the closed generation, if there is anything to do."""
        run = self.start(**scope)
        assert isinstance(take_turn(self.runtime, run), Turn)
        batches = plan_changes(self.runtime, run)
        self._fill_cache(run)
        if stop_if_nothing_to_do(self.runtime, run):
            for batch in batches:
                index_changes(self.runtime, run, batch)
            close_generation(self.runtime, run)
        release_turn(self.runtime, run)
        return run

    def propose(self) -> int:
        """A run up to its candidate."""
        return propose_candidate(self.runtime, self.index())

    def _fill_cache(self, run: Run) -> None:
        embedder = self.runtime.embedder(run.config.ingestion.embeddings)
        texts = [
            piece.text
            for path in sorted((self.folder / "documents").rglob("*.*"))
            for piece in pieces_of(run.config, path.name, path.read_bytes())
        ]
        self.remember(embedder.fingerprint, embedder.dims, [*texts, str(QUESTION["question"])])

    def remember(self, fingerprint: str, dims: int, texts: list[str]) -> None:
        """Put a vector for each text into the cache."""
        rows = [
            {"embedder": fingerprint, "text_hash": text_hash(text), "embedding": _vector(text, dims), "plan_id": None}
            for text in texts
        ]
        with self.runtime.database.transaction() as connection:
            queries().cache_embeddings(connection, rows)


def _vector(text: str, dims: int) -> Vector:
    """A vector of length 1 that depends on the words of the text, so that texts that share words are near."""
    total = np.full(dims, 1e-3, dtype=np.float32)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.sha256(word.strip(".,?").encode()).digest()[:4])
        total += np.random.default_rng(seed).standard_normal(dims).astype(np.float32)
    return total / np.linalg.norm(total)


@pytest.fixture
def small(runtime: Runtime, tmp_path: Path) -> SmallKnowledgeBase:
    """A knowledge base with two documents, nothing of it indexed yet."""
    made = SmallKnowledgeBase(runtime, tmp_path / "small")
    made.write("leave.md", "# Leave\n\nParents receive sixteen weeks of paid leave.\n")
    made.write("travel.md", "# Travel\n\nTrains are booked in second class.\n")
    return made


@pytest.fixture
def promoted() -> Callable[[Runtime, str, int], None]:
    """Write a promotion into the ledger, as the gate's work is not what these tests are about."""
    from liftgate.releases.ledger import lock_ledger, record

    def write(runtime: Runtime, kb: str, n: int) -> None:
        with runtime.database.transaction() as connection:
            lock_ledger(connection, kb)
            record(connection, kb, "promoted", by="test", run_id=f"test-{n}-{os.urandom(4).hex()}", release=n)

    return write


TOPICS = 60
"""Families enough for every guard at the default margins."""


def topic(number: int) -> str:
    """A word that stands in one document only. Example: 3 -> "topicd"."""
    return f"topic{chr(97 + number // 10)}{chr(97 + number % 10)}"


class JudgedKnowledgeBase(SmallKnowledgeBase):
    """Documents and golden questions enough for real verdicts: sixty public documents, ten that only the board reads."""

    def __init__(self, runtime: Runtime, folder: Path):
        super().__init__(runtime, folder)
        for number in range(TOPICS):
            self.write(f"desk-{number}.md", self.text(number))
        for number in range(10):
            self.write(f"secret/vault-{number}.md", f"# Vault\n\nVault {topic(90 + number)} holds {number} ingots.\n")
        self.questions = [self._answerable(number) for number in range(TOPICS)]
        self.questions += [self._hidden(number) for number in range(10)]
        self.questions += [self._absent(number) for number in range(10)]
        self.write_questions()
        self.retrieve_by()

    def text(self, number: int, hour: int | None = None) -> str:
        """The document about a topic."""
        return f"# Desk {topic(number)}\n\nThe {topic(number)} desk opens at {hour or number + 100} sharp.\n"

    def retrieve_by(self, **settings: object) -> None:
        """Change the retrieval settings. `max_context_tokens=16` fits no chunk: a change that must be rejected."""
        self.settings["ingestion"] |= {"retrieval_defaults": {"top_k": 3, "min_score": 0.35, **settings}}  # type: ignore[operator]
        self.write_settings()

    def write_questions(self) -> None:
        """Write the golden questions as they stand in `questions`."""
        lines = [json.dumps(question) + "\n" for question in self.questions]
        (self.folder / "questions.jsonl").write_text("".join(lines))

    def ask_more(self) -> None:
        """Add a golden question: evidence that no verdict so far knew."""
        self.questions.append(self._absent(len(self.questions)))
        self.write_questions()

    def validated(self, passed: bool = True) -> None:
        """The suite's result over the last closed generation, as `validate_chunks` stores it."""
        with self.runtime.database.transaction() as connection:
            newest = last_closed(connection, "small")
            assert newest
            queries().store_validation(
                connection, kb="small", subject=newest.digest, passed=passed, report="{}", run_id="test"
            )

    def judge(self, run: Run | None = None) -> tuple[Run, int]:
        """A run up to its verdict: the run and its candidate, 0 where nothing was proposed."""
        run = run or self.index()
        self.validated()
        candidate = propose_candidate(self.runtime, run)
        if candidate:
            evaluate(self.runtime, run, retrieve_for_questions(self.runtime, run, candidate))
        return run, candidate

    def end(self, run: Run, candidate: int) -> str:
        """The last steps of a run: the branch that decide takes."""
        branch = decide(self.runtime, run, candidate)
        getattr(outcomes, branch)(self.runtime, run, candidate)
        return branch

    def whole_run(self) -> tuple[int, str]:
        """A whole run: its candidate and the branch that was taken, or 0 and "nothing"."""
        run = self.index()
        if self.plan_of(run) == "nothing":
            return 0, "nothing"
        candidate = self.judge(run)[1]
        return (candidate, self.end(run, candidate)) if candidate else (0, "equals live")

    def plan_of(self, run: Run) -> str:
        """The kind of the run's plan."""
        with self.runtime.database.transaction() as connection:
            return newest_plan(connection, run.kb, run.run_id).kind

    def live(self) -> int | None:
        """The number of the release that is live."""
        with self.runtime.database.transaction() as connection:
            number: int | None = queries().live_release(connection, kb="small")
        return number

    def outcome(self, n: int) -> str | None:
        """What became of a release."""
        with self.runtime.database.transaction() as connection:
            return release(connection, "small", n).outcome

    def events(self, *kinds: str) -> list[tuple[str, int | None]]:
        """The history, or the events of some kinds."""
        with self.runtime.database.transaction() as connection:
            found = list(queries().events(connection, kb="small"))
        return [(event["kind"], event["release"]) for event in found if not kinds or event["kind"] in kinds]

    def _fill_cache(self, run: Run) -> None:
        super()._fill_cache(run)
        embedder = self.runtime.embedder(run.config.ingestion.embeddings)
        self.remember(embedder.fingerprint, embedder.dims, [str(one["question"]) for one in self.questions])

    def _answerable(self, number: int) -> dict[str, object]:
        asked = {"id": f"q-{number}", "question": f"When the {topic(number)} desk opens?", "groups": ["staff"]}
        expected = {"expected": "answer", "sources": [f"desk-{number}.md"], "quote": f"opens at {number + 100}"}
        judged = {"must_contain": [[str(number + 100)]], "judged": ["retrieval", "answers"]}
        return {**asked, "family": f"desk-{number}.md", **expected, **judged}

    def _hidden(self, number: int) -> dict[str, object]:
        asked = {"id": f"h-{number}", "question": f"Vault {topic(90 + number)} holds ingots?", "groups": ["staff"]}
        source = f"secret/vault-{number}.md"
        return {**asked, "family": source, "expected": "refuse", "why": "hidden", "sources": [source]}

    def _absent(self, number: int) -> dict[str, object]:
        asked = {"id": f"a-{number}", "question": f"Who paints zebra{number}?", "groups": ["staff"]}
        return {**asked, "family": f"absent-{number}", "expected": "refuse", "why": "absent"}


@pytest.fixture
def judged(runtime: Runtime, tmp_path: Path) -> JudgedKnowledgeBase:
    """A knowledge base that real verdicts can be formed on, nothing of it indexed yet."""
    return JudgedKnowledgeBase(runtime, tmp_path / "judged")
