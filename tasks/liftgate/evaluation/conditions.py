"""The conditions of an evaluation, and its fingerprint: under the same ones nothing is judged twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from liftgate.config.gate import CommonGate
from liftgate.database import Connection, queries
from liftgate.evaluation.questions import Question, digest, read_questions
from liftgate.fingerprints import digest_of, fingerprint
from liftgate.releases.ledger import Release
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

NO_JUDGE = "none"


@dataclass(frozen=True)
class Conditions:
    """What every side of a comparison shares, and what it is compared with."""

    kb: str
    questions: tuple[Question, ...]
    questions_digest: str
    access_digest: str
    gate: CommonGate
    parent: int | None
    anchor: int | None
    last_serious_rollback: int
    answered_by: str | None = None
    """What generated answers depend on beside the releases; see `Runtime.answered_by`."""

    @property
    def fingerprint(self) -> str:
        """The evaluation fingerprint."""
        depends = [
            self.questions_digest,
            self.access_digest,
            self.gate.model_dump(mode="json"),
            NO_JUDGE,
            self.parent,
            self.anchor,
            self.last_serious_rollback,
        ]
        return fingerprint(depends if self.answered_by is None else [*depends, self.answered_by])

    def shared(self) -> dict[str, str]:
        """What must be equal on all sides, by name."""
        by = {} if self.answered_by is None else {"answered_by": self.answered_by}
        return {"questions": self.questions_digest, "judge": NO_JUDGE, "access": self.access_digest, **by}


def retrieval_conditions(connection: Connection, run: Run, candidate: Release | None = None) -> Conditions:
    """The conditions under which a knowledge base's retrieval is judged today: on all questions."""
    return _conditions(connection, run, run.config.gate, "retrieval", candidate)


def answer_conditions(
    runtime: Runtime, connection: Connection, run: Run, gate: CommonGate, candidate: Release | None = None
) -> Conditions:
    """The conditions under which answers are judged today: on the part of the questions that is kept for them."""
    found = _conditions(connection, run, gate, "answers", candidate)
    return replace(found, answered_by=runtime.answered_by)


def _conditions(
    connection: Connection, run: Run, gate: CommonGate, judged: str, candidate: Release | None
) -> Conditions:
    questions = tuple(q for q in read_questions(run.config.questions.file) if judged in q.judged)
    # A release that went live without a verdict is compared with what was live before it.
    if candidate is not None and candidate.unjudged:
        parent = candidate.parent
    else:
        parent = queries().live_release(connection, kb=run.kb)
    access = queries().access_of_all(connection, kb=run.kb)
    return Conditions(
        kb=run.kb,
        questions=questions,
        questions_digest=digest(questions),
        access_digest=digest_of(f"{row['source']}\0{row['uri']}\0{row['groups']}" for row in access)[:16],
        gate=gate,
        parent=parent,
        anchor=_anchor(connection, run.kb, gate, parent),
        last_serious_rollback=queries().last_serious_rollback(connection, kb=run.kb),
    )


def best_promoted(connection: Connection, kb: str, metric: str) -> int | None:
    """The promoted release that was best on a metric; changed only when one beats it."""
    best: tuple[float, int] | None = None
    for row in queries().promoted_means(connection, kb=kb, metric=metric):
        if best is None or row["mean"] > best[0]:
            best = (row["mean"], row["n"])
    return best[1] if best else None


def _anchor(connection: Connection, kb: str, gate: CommonGate, parent: int | None) -> int | None:
    """The promoted release that was best on the first guard. None: it is the parent, or there is none."""
    best = best_promoted(connection, kb, gate.guards[0].metric)
    return best if best != parent else None
