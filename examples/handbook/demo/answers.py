"""Two people ask the same question."""

from __future__ import annotations

from demo.stage import Stage

QUESTION = "On which working day are the books of a month closed?"
"""Its source, finance/month-end-close.md, is for the group finance."""


def two_people(stage: Stage) -> None:
    """Who may read the source gets an answer that cites it; who may not gets a refusal, not even a hint."""
    with stage.playing("g", "Two people with different groups ask the same question"):
        may = stage.liftgate("ask", "handbook", QUESTION, "--group", "staff", "--group", "finance")
        stage.expect("finance gets an answer that cites the source", True, "finance.month-end-close.md" in may)
        may_not = stage.liftgate("ask", "handbook", QUESTION, "--group", "staff")
        stage.expect("staff gets a refusal", True, "Refused" in may_not)
        stage.expect("the refusal names the source", False, "month-end-close" in may_not)
