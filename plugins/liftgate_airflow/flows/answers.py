"""The middle of every flow that is judged by generated answers."""

from __future__ import annotations

from typing import Any

from liftgate_airflow.step import step


def judged_answers(candidate: Any, models_pool: str) -> Any:
    """Answers of both sides, compared and judged. Returns evaluate."""
    answers = [
        step(f"liftgate.evaluation.compare_answers.answer_with_{side}", pool=models_pool)(candidate)
        for side in ("candidate", "baseline")
    ]
    evidence = step("liftgate.evaluation.compare_answers.compare_answers", pool=models_pool)(candidate)
    answers >> evidence
    return step("liftgate.evaluation.evaluate.evaluate")(evidence)
