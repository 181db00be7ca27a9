"""The middle of every flow that is judged by generated answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liftgate_airflow.flows.jobs import job
from liftgate_airflow.step import step

if TYPE_CHECKING:
    from liftgate.config.jobs import JobBlock

_COMPARE = "liftgate.evaluation.compare_answers"


def judged_answers(candidate: Any, place: JobBlock, models_pool: str) -> Any:
    """Answers of both sides, compared and judged. Returns evaluate."""
    answers = [
        job(f"{_COMPARE}.answer_with_{side}", f"{_COMPARE}.answers_of_{side}", place, models_pool, candidate)
        for side in ("candidate", "baseline")
    ]
    evidence = step(f"{_COMPARE}.compare_answers", pool=models_pool)(candidate)
    answers >> evidence
    return step("liftgate.evaluation.evaluate.evaluate")(evidence)
