"""A small knowledge base that goes through every real step: documents, listing, plan, index, ledger.

All parts are real except one: vectors come from `WordEmbedder` instead of a model, put in where `Runtime` keeps its
embedders, so that these tests need no torch. How well the real embedder finds things is tested with the real model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import yaml
from word_vectors import word_vector

from liftgate.access import apply_access
from liftgate.config.embeddings import Embeddings
from liftgate.embedding import embedder_for
from liftgate.generations import collections_of
from liftgate.index import Chunk, VectorIndex
from liftgate.index.rows import Vector
from liftgate.indexing import close_generation, index_changes
from liftgate.plan import newest_plan, plan_changes, stop_if_nothing_to_do
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
MIDNIGHT = 1_767_225_600
"""2026-01-01T00:00:00+00:00, when the first document of a test was written; each later one a day after the last."""
DAY = 86_400
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
        return np.stack([word_vector(text, self.dims) for text in texts])


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

    def reason(self, run: Run) -> str:
        """Why a run had nothing to do."""
        with self.runtime.database.transaction() as connection:
            return str(newest_plan(connection, self.name, run.run_id).counts["reason"])
