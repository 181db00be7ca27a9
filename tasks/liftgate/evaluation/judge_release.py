"""The verdict on a release that a rollback of one part made: it is live already, and nobody has judged it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.evaluation.compare_answers import answer_with_baseline, answer_with_candidate, compare_answers
from liftgate.evaluation.evaluate import evaluate
from liftgate.evaluation.retrieve_for_questions import retrieve_for_questions
from liftgate.releases.ledger import release
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def needs_verdict(runtime: Runtime, run: Run, n: int) -> bool:
    """Whether a rollback made this release. One that goes back whole has the verdict that it went live with."""
    with runtime.database.transaction() as connection:
        return release(connection, run.kb, n).unjudged


def judge_release(runtime: Runtime, run: Run, n: int) -> str:
    """Compare the release with what was live before it, and return the verdict's outcome, which changes nothing live.

    On the guards alone: going back claims no improvement.
    """
    with runtime.database.transaction() as connection:
        component = release(connection, run.kb, n).component
    if component == "retrieval":
        return evaluate(runtime, run, retrieve_for_questions(runtime, run, n))
    answer_with_candidate(runtime, run, n)
    answer_with_baseline(runtime, run, n)
    return evaluate(runtime, run, compare_answers(runtime, run, n))
