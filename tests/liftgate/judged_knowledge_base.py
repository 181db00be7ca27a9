"""A knowledge base with documents and golden questions enough for real verdicts."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from small_knowledge_base import SmallKnowledgeBase

from liftgate.answering import answers
from liftgate.config.embeddings import Embeddings
from liftgate.database import queries
from liftgate.evaluation.compare_answers import compare_answers
from liftgate.evaluation.conditions import answer_conditions
from liftgate.evaluation.evaluate import evaluate
from liftgate.evaluation.questions import Question, read_questions
from liftgate.evaluation.retrieve_for_questions import retrieve_for_questions
from liftgate.evaluation.sides import sides_for
from liftgate.generations import last_closed
from liftgate.releases import outcomes
from liftgate.releases.ledger import Release, lock_ledger, record, release
from liftgate.releases.makeup import Makeup
from liftgate.releases.promotion import decide
from liftgate.releases.propose import propose_candidate
from liftgate.retrieval import Asked, Found, retrieve
from liftgate.runs import Run
from liftgate.runtime import Runtime
from liftgate.settings import Settings

TOPICS = 32
"""Families enough for every guard at the default margins: 29 for ten points."""


def topic(number: int) -> str:
    """A word that stands in one document only. Example: 3 -> "topicad"."""
    return f"topic{chr(97 + number // 10)}{chr(97 + number % 10)}"


class JudgedKnowledgeBase(SmallKnowledgeBase):
    """Documents and golden questions enough for real verdicts. The first release is live, promoted on its floors."""

    def __init__(self, runtime: Runtime, folder: Path, name: str = "small"):
        super().__init__(runtime, folder, name)
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
                key = answers.answer_key(self.runtime, makeup, one, found)
                rows.append({"id": key, "text": text, "tokens": 1, "finish": "stop"})
        with self.runtime.database.transaction() as connection:
            queries().store_answers(connection, rows)

    def compare_answers(
        self, run: Run, candidate: int, say: Callable[[str, Question, Found], str | None] = lambda *_: "I do not know."
    ) -> str:
        """The last steps of a run about answers, up to the verdict: what each side would have written, compared."""
        proposed = self.release(candidate)
        with self.runtime.database.transaction() as connection:
            gate = run.config.prompt_gate if proposed.component == "prompt" else run.adapter.gate
            sides = sides_for(connection, proposed, answer_conditions(self.runtime, connection, run, gate))
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
