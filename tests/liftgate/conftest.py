"""A small knowledge base that goes through every real step: documents, configuration, listing, plan, index, ledger.

All parts are real except one: vectors come from `WordEmbedder` instead of a model, put in where `Runtime` keeps its
embedders, so that these tests need no torch. How well the real embedder finds things is tested with the real model.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
import yaml

from liftgate.access import apply_access
from liftgate.answering import answers
from liftgate.config.embeddings import Embeddings
from liftgate.database import queries
from liftgate.embedding import embedder_for
from liftgate.evaluation.compare_answers import compare_answers
from liftgate.evaluation.conditions import answer_conditions
from liftgate.evaluation.evaluate import evaluate
from liftgate.evaluation.questions import Question, read_questions
from liftgate.evaluation.retrieve_for_questions import retrieve_for_questions
from liftgate.evaluation.sides import sides_for
from liftgate.generations import collections_of, last_closed
from liftgate.index import Chunk, VectorIndex
from liftgate.index.rows import Vector
from liftgate.indexing import close_generation, index_changes
from liftgate.plan import newest_plan, plan_changes, stop_if_nothing_to_do
from liftgate.releases import outcomes
from liftgate.releases.ledger import Release, lock_ledger, record, release
from liftgate.releases.makeup import Makeup
from liftgate.releases.promotion import decide
from liftgate.releases.propose import propose_candidate
from liftgate.retrieval import Asked, Found, retrieve
from liftgate.runs import Allowances, Run, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate.settings import Settings
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
MIDNIGHT = 1_767_225_600
"""2026-01-01T00:00:00+00:00, when the first document of a test was written; each later one a day after the last."""
DAY = 86_400
_numbers = count(1)
CHANGED_AT: Any = ["last_update_time"]


class WordEmbedder:
    """Vectors from the words of a text: the same text gives the same vector, texts that share words are near.

    It stands in for the model only, under the fingerprint of the real embedder, so that a runtime which a test does
    not make (the command line's) finds its vectors in the cache. `embedded` lists the texts that went through it.
    """

    def __init__(self, stands_for: Embeddings):
        real = embedder_for(stands_for)
        self.dims, self.max_tokens, self.fingerprint = real.dims, real.max_tokens, real.fingerprint
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        """float32[len(texts), dims], each row of length 1."""
        self.embedded += texts
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Vector:
        total = np.full(self.dims, 1e-3, dtype=np.float32)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.strip(".,?").encode()).digest()[:4])
            total += np.random.default_rng(seed).standard_normal(self.dims).astype(np.float32)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


class SmallKnowledgeBase:
    """Documents, configuration, and runs over them. Each document that is written is a day younger than the last."""

    def __init__(self, runtime: Runtime, folder: Path, name: str = "small"):
        self.name = name
        self.embedder, self.other_embedder = WordEmbedder(Embeddings()), WordEmbedder(Embeddings(dims=256))
        embedders = {Embeddings(): self.embedder, Embeddings(dims=256): self.other_embedder}
        self.runtime = Runtime(runtime.settings, embedders)
        self.folder = folder
        self.documents = folder / "documents"
        self.file = folder / "knowledge_bases" / f"{name}.yaml"
        self.runs = 0
        self._changed_at = MIDNIGHT
        self.documents.mkdir(parents=True)
        self.file.parent.mkdir()
        (folder / "prompt.md").write_text(PROMPT)
        (folder / "questions.jsonl").write_text(json.dumps(QUESTION) + "\n")
        self.settings: dict[str, Any] = {
            "name": name,
            "ingestion": {"source": {"type": "folder", "path": "../documents"}, "embeddings": {}},
            "access": {"default_groups": ["staff"], "rules": [{"path": "secret/**", "groups": ["board"]}]},
            "questions": {"file": "../questions.jsonl"},
            "answers": {"prompt": "../prompt.md"},
            "brakes": {"max_removed_share": 1, "max_widened_share": 1, "max_opened_share": 1},
            "retention": {"keep_releases": 1, "keep_hours": 0},
        }
        self.write_settings()

    def write_settings(self, **more: object) -> None:
        """Change blocks of the file."""
        self.settings |= more
        self.file.write_text(yaml.safe_dump(self.settings))

    def ingest(self, **more: object) -> None:
        """Change settings of the `ingestion:` block."""
        self.write_settings(ingestion={**self.settings["ingestion"], **more})

    def allow_groups(self, rules: dict[str, list[str]], default: list[str]) -> None:
        """Say who may read what: groups by path, and those of all other documents."""
        listed = [{"path": path, "groups": groups} for path, groups in rules.items()]
        self.write_settings(access={"default_groups": default, "rules": listed})

    def write(self, uri: str, content: str | bytes | None) -> None:
        """Write a document, or (None) delete it."""
        path = self.documents / uri
        path.parent.mkdir(exist_ok=True)
        if content is None:
            path.unlink()
            return
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.touch(uri)

    def touch(self, uri: str) -> None:
        """Give a document another time of change."""
        os.utime(self.documents / uri, (self._changed_at, self._changed_at))
        self._changed_at += DAY

    def move(self, old: str, new: str) -> None:
        """Rename a document, which keeps content, size and time of change."""
        (self.documents / new).parent.mkdir(exist_ok=True)
        (self.documents / old).rename(self.documents / new)

    def freeze(self, allow: Allowances | None = None, **scope: object) -> Run:
        """A run whose configuration is frozen, nothing more."""
        self.runs += 1
        run_id = f"kb_{self.name}:run-{self.runs}"
        return freeze_configuration(self.runtime, self.file, run_id, Scope.model_validate(scope), allow or Allowances())

    def start(self, allow: Allowances | None = None, **scope: object) -> Run:
        """The first steps of a run, up to the turn."""
        run = self.freeze(allow, **scope)
        list_sources(self.runtime, run)
        apply_access(self.runtime, run)
        return run

    def plan(self, run: Run) -> list[int]:
        """Take the turn and plan; the turn stays with the run."""
        turn = take_turn(self.runtime, run)
        assert isinstance(turn, Turn), turn
        return plan_changes(self.runtime, run)

    def finish(self, run: Run, batches: list[int]) -> None:
        """Work the batches off, close the generation, and give the turn back."""
        for batch in batches:
            index_changes(self.runtime, run, batch)
        close_generation(self.runtime, run)
        release_turn(self.runtime, run)

    def index(self, allow: Allowances | None = None, **scope: object) -> Run:
        """A run up to the closed generation, if there is anything to do. Gives the turn back, whatever happens."""
        run = self.start(allow, **scope)
        try:
            batches = self.plan(run)
            if stop_if_nothing_to_do(self.runtime, run):
                self.finish(run, batches)
        finally:
            release_turn(self.runtime, run)
        self.runtime.embed(run.config.ingestion.embeddings, [str(QUESTION["question"])])
        return run

    def propose(self) -> int:
        """A run up to its candidate."""
        return propose_candidate(self.runtime, self.index())

    def query(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """The rows that a statement of a test gives."""
        with self.runtime.database.transaction() as connection:
            return list(connection.execute(statement, values))  # type: ignore[arg-type]

    def generations(self) -> list[dict[str, Any]]:
        """Every generation, oldest first."""
        return self.query("SELECT * FROM generations WHERE kb = %s ORDER BY generation", self.name)

    def chunks(self, uri: str = "") -> list[dict[str, Any]]:
        """The rows of a document, or of all, in all collections and generations, oldest first."""
        found: dict[tuple[int, UUID], dict[str, Any]] = {}
        newest = max((row["generation"] for row in self.generations()), default=0)
        for index in self.indexes():
            of = {"collection_id": index.collection.id}
            for generation in range(1, newest + 1):
                found |= {(index.collection.id, row.id): {**vars(row), **of} for row in index.rows(generation)}
        rows = [row for row in found.values() if uri in ("", row["uri"])]
        order = ("collection_id", "added_in", "source", "uri", "ordinal")
        return sorted(rows, key=lambda row: [row[name] for name in order])

    def indexes(self) -> Iterator[VectorIndex]:
        """The index of each collection, oldest first, to do something behind the plan's back."""
        with self.runtime.database.transaction() as connection:
            for one in collections_of(connection, self.name):
                yield self.runtime.index_in(connection, one)

    def lose(self, uri: str) -> None:
        """Delete the first row of a document."""
        for index in self.indexes():
            index.delete([self._first(index, uri).id])

    def add_like(self, uri: str, **values: object) -> None:
        """Write a row like the first one of a document, with other values."""
        for index in self.indexes():
            index.upsert([replace(self._first(index, uri), **values)])  # type: ignore[arg-type]

    def exchange(self, uri: str) -> None:
        """Give the first row of a document another id."""
        for index in self.indexes():
            first = self._first(index, uri)
            index.upsert([replace(first, id=uuid4())])
            index.delete([first.id])

    def _first(self, index: VectorIndex, uri: str) -> Chunk:
        return next(row for row in index.rows(1) if row.uri == uri)

    def stamps(self) -> list[Any]:
        """When each row was written last, in whatever way its index counts that."""
        if self.settings["ingestion"].get("vector_index", {}).get("provider") != "weaviate":
            return self.query("SELECT id, xmin::text FROM chunks ORDER BY id")
        found: list[Any] = []
        for index in self.indexes():
            rows = self.runtime.servers.weaviate.collections.get(index.collection.name)
            found += [(row.uuid, row.metadata.last_update_time) for row in rows.iterator(return_metadata=CHANGED_AT)]
        return sorted(found)

    def groups(self, uri: str) -> list[list[str]]:
        """The groups of each row of a document, in the order in which the rows were added."""
        return [list(row["groups"]) for row in self.chunks(uri)]

    def seen(self, generation: int) -> list[str]:
        """The texts that a generation sees, by document."""
        with self.runtime.database.transaction() as connection:
            found = {row["generation"]: row["collection_id"] for row in self.generations()}
            of = {one.id: one for one in collections_of(connection, self.name)}[found[generation]]
            return [row.text for row in self.runtime.index_in(connection, of).rows(generation)]

    def outcomes(self, run: Run) -> dict[str, str]:
        """What became of each document of a run's plan."""
        with self.runtime.database.transaction() as connection:
            plan = newest_plan(connection, self.name, run.run_id)
        rows = self.query("SELECT uri, outcome ->> 'outcome' AS outcome FROM plan_items WHERE plan_id = %s", plan.id)
        return {row["uri"]: row["outcome"] for row in rows}

    def kind(self, run: Run) -> str:
        """Whether a run had something to index, only to verify, or nothing to do."""
        with self.runtime.database.transaction() as connection:
            return newest_plan(connection, self.name, run.run_id).kind


@pytest.fixture
def small(runtime: Runtime, tmp_path: Path) -> SmallKnowledgeBase:
    """A knowledge base with two documents in a database of its own, nothing of it indexed yet."""
    return _with_two_documents(SmallKnowledgeBase(runtime, tmp_path / "small"))


@pytest.fixture(scope="session")
def shared_runtime(server_url: str, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A runtime over one database for all tests whose rows are told apart by the name of a knowledge base."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE shared TEMPLATE {migrated}")  # type: ignore[arg-type]
    folder = str(tmp_path_factory.mktemp("files"))
    models = str(Path(__file__).parents[2] / ".models")
    url = server_url.replace("/postgres?", "/shared?")
    yield Runtime(Settings(database_url=url, files_url=folder, models_dir=models))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE shared WITH (FORCE)")


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> str:
    """Where the rows of `kb` are: pgvector, unless a module asks for `both_indexes`."""
    return str(getattr(request, "param", "pgvector"))


@pytest.fixture(scope="session")
def weaviate_runtime(shared_runtime: Runtime, weaviate_settings: dict[str, str]) -> Runtime:
    """The shared runtime with a Weaviate server."""
    return Runtime(Settings.model_validate({**shared_runtime.settings.model_dump(), **weaviate_settings}))


@pytest.fixture
def kb(shared_runtime: Runtime, provider: str, request: pytest.FixtureRequest, tmp_path: Path) -> SmallKnowledgeBase:
    """A knowledge base with two documents and a name of its own in the shared database, nothing of it indexed yet."""
    with shared_runtime.database.transaction() as connection:
        connection.execute("DELETE FROM embeddings")
    runtime = request.getfixturevalue("weaviate_runtime") if provider == "weaviate" else shared_runtime
    made = SmallKnowledgeBase(runtime, tmp_path / "kb", f"kb{next(_numbers)}")
    if provider == "weaviate":
        made.ingest(vector_index={"provider": "weaviate"})
    return _with_two_documents(made)


def _with_two_documents(made: SmallKnowledgeBase) -> SmallKnowledgeBase:
    made.write("leave.md", "# Leave\n\nParents receive sixteen weeks of paid leave.\n")
    made.write("travel.md", "# Travel\n\nTrains are booked in second class.\n")
    return made


@pytest.fixture
def promoted() -> Callable[[Runtime, str, int], None]:
    """Write a promotion into the ledger, as the gate's work is not what these tests are about."""

    def write(runtime: Runtime, kb: str, n: int) -> None:
        with runtime.database.transaction() as connection:
            lock_ledger(connection, kb)
            record(connection, kb, "promoted", by="test", run_id=f"test-{n}-{os.urandom(4).hex()}", release=n)

    return write


TOPICS = 32
"""Families enough for every guard at the default margins: 29 for ten points."""


def topic(number: int) -> str:
    """A word that stands in one document only. Example: 3 -> "topicad"."""
    return f"topic{chr(97 + number // 10)}{chr(97 + number % 10)}"


class JudgedKnowledgeBase(SmallKnowledgeBase):
    """Documents and golden questions enough for real verdicts. The first release is live, promoted on its floors."""

    def __init__(self, runtime: Runtime, folder: Path):
        super().__init__(runtime, folder)
        self.passing: bool | None = True
        """What the suite over the chunks is said to have found; None: it did not run."""
        for number in range(TOPICS):
            self.write(f"desk-{number}.md", self.text(number))
        for number in range(4):
            self.write(f"secret/vault-{number}.md", f"# Vault\n\nVault {topic(90 + number)} holds {number} ingots.\n")
        self.questions = [self._answerable(number) for number in range(TOPICS)]
        self.questions += [make(number) for number in range(4) for make in (self._hidden, self._absent)]
        self.write_questions()
        self.retrieve_by()
        assert self.whole_run() == (1, "promote")

    def copy(self, settings: Settings, folder: Path) -> JudgedKnowledgeBase:
        """The same knowledge base in another database and folder."""
        shutil.copytree(self.folder, folder)
        embedders = {Embeddings(): self.embedder, Embeddings(dims=256): self.other_embedder}
        made = copy.deepcopy(self, {id(self.runtime): Runtime(settings, embedders)})
        made.folder, made.documents = folder, folder / "documents"
        made.file = folder / "knowledge_bases" / self.file.name
        return made

    def text(self, number: int, more: str = "") -> str:
        """The document about a topic."""
        return f"# Desk {topic(number)}\n\nThe {topic(number)} desk opens at {number + 100} sharp. {more}\n"

    def retrieve_by(self, **settings: object) -> None:
        """Change the retrieval settings. `min_score=0.99` refuses every question: a change that must be rejected."""
        self.ingest(retrieval_defaults={"top_k": 3, "min_score": 0.35, **settings})

    def write_questions(self) -> None:
        """Write the golden questions as they stand in `questions`."""
        lines = [json.dumps(question) + "\n" for question in self.questions]
        (self.folder / "questions.jsonl").write_text("".join(lines))

    def ask_more(self) -> None:
        """Add a golden question: evidence that no verdict so far knew."""
        self.questions.append(self._absent(len(self.questions)))
        self.write_questions()

    def validated(self) -> None:
        """The suite's result over the last closed generation, as `validate_chunks` stores it."""
        with self.runtime.database.transaction() as connection:
            newest = last_closed(connection, self.name)
            if newest and self.passing is not None:
                subject = {"kb": self.name, "subject": newest.digest, "run_id": "test"}
                queries().store_validation(connection, passed=self.passing, report="{}", **subject)

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
        if self.kind(run) == "nothing":
            return 0, "nothing"
        candidate = self.judge(run)[1]
        return (candidate, self.end(run, candidate)) if candidate else (0, "equals live")

    def answer(self, run: Run, makeup: Makeup, say: Callable[[Question, Found], str | None]) -> None:
        """Store what a model would have written with that make-up. None: the answer is missing."""
        questions = [one for one in read_questions(run.config.questions.file) if "answers" in one.judged]
        asked = [Asked(one.question, one.groups) for one in questions]
        rows = []
        for question, one, found in zip(questions, asked, retrieve(self.runtime, makeup, asked), strict=True):
            text = None if found.refused else say(question, found)
            if text is not None:
                rows.append({"id": answers._key(makeup, one, found), "text": text, "tokens": 1, "finish": "stop"})
        with self.runtime.database.transaction() as connection:
            queries().store_answers(connection, rows)

    def compare_answers(
        self, run: Run, candidate: int, say: Callable[[str, Question, Found], str | None] = lambda *_: "I do not know."
    ) -> str:
        """The last steps of a run about answers, up to the verdict: what each side would have written, compared."""
        proposed = self.release(candidate)
        with self.runtime.database.transaction() as connection:
            gate = run.config.prompt_gate if proposed.component == "prompt" else run.adapter.gate
            sides = sides_for(connection, proposed, answer_conditions(connection, run, gate))
        for side, makeup in sides.by_name():
            self.answer(run, makeup, partial(say, side))
        return evaluate(self.runtime, run, compare_answers(self.runtime, run, candidate))

    def hold(self, why: str = "test") -> None:
        """Set a hold on promotions, as a rollback does; what is live stays."""
        with self.runtime.database.transaction() as connection:
            lock_ledger(connection, self.name)
            record(connection, self.name, "hold_set", by="ada", run_id="hold", why=why)

    def live(self) -> int | None:
        """The number of the release that is live."""
        rows = self.query("SELECT n FROM live_releases WHERE kb = %s", self.name)
        return rows[0]["n"] if rows else None

    def release(self, n: int) -> Release:
        """A release as the ledger has it."""
        with self.runtime.database.transaction() as connection:
            return release(connection, self.name, n)

    def events(self, *kinds: str) -> list[tuple[str, int | None]]:
        """The history, or the events of some kinds."""
        found = self.query("SELECT kind, release FROM events WHERE kb = %s ORDER BY n", self.name)
        return [(row["kind"], row["release"]) for row in found if not kinds or row["kind"] in kinds]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        number: int = self.query(f"SELECT count(*) AS n FROM {table}")[0]["n"]
        return number

    def _answerable(self, number: int) -> dict[str, Any]:
        asked = {"id": f"q-{number}", "question": f"When the {topic(number)} desk opens?", "groups": ["staff"]}
        expected = {"expected": "answer", "sources": [f"desk-{number}.md"], "quote": f"opens at {number + 100}"}
        judged = {"must_contain": [[str(number + 100)]], "judged": ["retrieval", "answers"]}
        return {**asked, "family": f"desk-{number}.md", **expected, **judged}

    def _hidden(self, number: int) -> dict[str, Any]:
        asked = {"id": f"h-{number}", "question": f"Vault {topic(90 + number)} holds ingots?", "groups": ["staff"]}
        source = f"secret/vault-{number}.md"
        return {**asked, "family": source, "expected": "refuse", "why": "hidden", "sources": [source]}

    def _absent(self, number: int) -> dict[str, Any]:
        asked = {"id": f"a-{number}", "question": f"Who paints zebra{number}?", "groups": ["staff"]}
        judged = {"judged": ["retrieval", "answers"]}
        return {**asked, "family": f"absent-{number}", "expected": "refuse", "why": "absent", **judged}


@pytest.fixture(scope="session")
def judged_once(server_url: str, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> JudgedKnowledgeBase:
    """The knowledge base that the tests take copies of, in a database of its own."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE judged TEMPLATE {migrated}")  # type: ignore[arg-type]
    folder = tmp_path_factory.mktemp("judged")
    return JudgedKnowledgeBase(Runtime(_settings(server_url, "judged", folder)), folder / "small")


@pytest.fixture
def judged(
    judged_once: JudgedKnowledgeBase, server_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[JudgedKnowledgeBase]:
    """A knowledge base with golden questions enough for real verdicts, whose first release is live."""
    name = f"judged_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'judged'")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE judged")  # type: ignore[arg-type]
    yield judged_once.copy(_settings(server_url, name, tmp_path), tmp_path / "small")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def _settings(server_url: str, database: str, folder: Path) -> Settings:
    root = Path(__file__).parents[2]
    return Settings(
        database_url=server_url.replace("/postgres?", f"/{database}?"),
        files_url=str(folder / "files"),
        models_dir=str(root / ".models"),
        trainer_dir=str(root / "trainer_image"),
    )
