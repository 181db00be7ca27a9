from __future__ import annotations

import json
from typing import Any

import pytest

from liftgate.answering import answers
from liftgate.database import queries
from liftgate.releases.ledger import live
from liftgate.retrieval import Asked, retrieve

QUESTION = "How long is the leave?"
ANSWER = {
    "summary": "Parents receive sixteen weeks.",
    "risk": "none",
    "next_steps": ["Ask [your] manager."],
    "citations": ["doc:leave.md", "doc:invented.md"],
}


@pytest.fixture
def indexed(kb: Any, promoted: Any) -> Any:
    """Release 1 is live."""
    kb.write("secret/merger.md", "# Merger\n\nHow long is the leave of the board? Forty weeks.\n")
    promoted(kb.runtime, kb.name, kb.propose())
    return kb


def answer(kb: Any, text: str, groups: tuple[str, ...] = ("staff",)) -> None:
    """Store what the model would say, as an earlier question would have."""
    with kb.runtime.database.transaction() as connection:
        makeup = live(connection, kb.name).makeup
    asked = Asked(QUESTION, groups)
    key = answers.answer_key(kb.runtime, makeup, asked, retrieve(kb.runtime, makeup, [asked])[0])
    with kb.runtime.database.transaction() as connection:
        # The cache is shared: what another test said under the same context must not be found.
        connection.execute("DELETE FROM answers")
        queries().store_answers(connection, [{"id": key, "text": text, "tokens": 9, "finish": "stop"}])


def test_valid_answer_is_shown_by_its_fields_with_its_citations(indexed: Any, liftgate: Any) -> None:
    answer(indexed, json.dumps(ANSWER))
    shown = liftgate("ask", indexed.name, QUESTION, "--group", "staff")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("Parents receive sixteen weeks.\nRisk: none\n  - Ask [your] manager.\n")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.stdout.splitlines()]
    assert ["leave.md", "Leave", "leave.md"] in rows
    assert ["invented.md", "", "not in the context: the model made it up"] in rows
    assert f"Release 1 of {indexed.name}" in shown.stdout


def test_answer_that_is_not_the_schema_is_shown_as_it_is(indexed: Any, liftgate: Any) -> None:
    answer(indexed, "It is [bold]sixteen[/bold] weeks.")
    shown = liftgate("ask", indexed.name, QUESTION, "--group", "staff")
    assert shown.stdout.startswith("It is [bold]sixteen[/bold] weeks.\nIt cites nothing.\n")


def test_refusal_of_the_model_is_said_to_be_the_models(indexed: Any, liftgate: Any) -> None:
    answer(indexed, "I cannot answer this.")
    shown = liftgate("ask", indexed.name, QUESTION, "--group", "staff")
    assert (shown.exit_code, shown.stdout.startswith("Refused by the model:")) == (0, True)


def test_who_may_read_nothing_is_refused_without_a_hint_of_what_there_is(indexed: Any, liftgate: Any) -> None:
    shown = liftgate("ask", indexed.name, QUESTION, "--group", "strangers")
    assert shown.stdout.startswith("Refused by retrieval, without asking the model: nothing is visible")
    assert "md" not in shown.stdout


def test_nothing_near_enough_is_refused_with_the_needed_score(kb: Any, liftgate: Any, promoted: Any) -> None:
    kb.settings["ingestion"]["retrieval_defaults"] = {"min_score": 0.99}
    kb.write_settings()
    promoted(kb.runtime, kb.name, kb.propose())
    shown = liftgate("ask", kb.name, QUESTION, "--group", "staff")
    assert "and 0.990 is needed" in shown.stdout


def test_answer_of_one_group_is_not_told_to_another(indexed: Any, liftgate: Any) -> None:
    """The nearest document is the board's. Staff gets an answer from what staff may read."""
    answer(indexed, json.dumps({**ANSWER, "citations": ["doc:secret.merger.md"]}), ("board",))
    assert "secret/merger.md" in liftgate("ask", indexed.name, QUESTION, "--group", "board").stdout
    answer(indexed, json.dumps(ANSWER))
    assert "merger" not in liftgate("ask", indexed.name, QUESTION, "--group", "staff").stdout
