"""The suite over a tuning set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liftgate.config.validation import Validation
from liftgate.evaluation.answer_metrics import cited_ids
from liftgate.evaluation.forms import as_call
from liftgate.fingerprints import fingerprint
from liftgate.gate.cheap import as_schema
from liftgate.validation.checkpoint import Rule, run_checkpoint
from liftgate.validation.report import Report


def validate_tuning_set(rows: Sequence[Mapping[str, Any]], settings: Validation, *, docs_folder: Path) -> Report:
    """Checks every example before anything is trained on it.

    Each row has id, messages (user, then assistant), expected ("answer" or "refuse"), form (of an answer: schema,
    call or label), context_ids (ids of the documents in its prompt), tokens (prompt and completion), open
    (may everybody in training.open_groups read its documents), golden_family (is its family a source of a golden
    question).
    """
    return run_checkpoint("tuning_set", _columns(rows), "id", _rules(settings), docs_folder)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    seen: set[str] = set()
    return {
        "id": [str(row["id"]) for row in rows],
        "two_turns": [_two_turns(row["messages"]) for row in rows],
        "keeps_its_form": [_keeps_its_form(row) for row in rows],
        "cites_its_context": [_form(row) != "schema" or _cites_its_context(row) for row in rows],
        "refuses": [int(_refuses(row)) for row in rows],
        "first_of_its_text": [_is_new(row, seen) for row in rows],
        "tokens": [row["tokens"] for row in rows],
        "open": [bool(row["open"]) for row in rows],
        "golden_family": [bool(row["golden_family"]) for row in rows],
    }


def _two_turns(messages: Sequence[Mapping[str, Any]]) -> bool:
    roles = [message.get("role") for message in messages]
    texts = [message.get("content") for message in messages]
    filled = all(isinstance(text, str) and text.strip() for text in texts)
    return roles == ["user", "assistant"] and filled


def _refuses(row: Mapping[str, Any]) -> bool:
    return bool(row["expected"] == "refuse")


def _completion(row: Mapping[str, Any]) -> str:
    return str(row["messages"][-1].get("content", "")) if row["messages"] else ""


def _keeps_its_form(row: Mapping[str, Any]) -> bool:
    """Of a label and a refusal it is only asked that they are not empty, which is another rule."""
    reads = {"schema": as_schema, "call": as_call}.get(_form(row))
    return reads is None or reads(_completion(row)) is not None


def _form(row: Mapping[str, Any]) -> str:
    """Rows that an earlier version wrote know one form only."""
    return "refusal" if _refuses(row) else str(row.get("form", "schema"))


def _cites_its_context(row: Mapping[str, Any]) -> bool:
    cited = cited_ids(_completion(row))
    return bool(cited) and cited <= {name.removeprefix("doc:") for name in row["context_ids"]}


def _is_new(row: Mapping[str, Any], seen: set[str]) -> bool:
    key = fingerprint(row["messages"])
    new = key not in seen
    seen.add(key)
    return new


def _rules(settings: Validation) -> list[Rule]:
    lowest, highest = settings.min_refusal_share, settings.max_refusal_share
    rows, tokens = settings.min_examples, settings.max_example_tokens
    return [
        ("ExpectTableRowCountToBeBetween", {"min_value": rows}, f"there are at least {rows} examples"),
        ("ExpectColumnValuesToBeUnique", {"column": "id"}, "each example's id stands once"),
        _all("two_turns", True, "each example is one question and one answer, neither empty"),
        _all("keeps_its_form", True, "each answer keeps its form: the schema, or a call with a name and arguments"),
        _all("cites_its_context", True, "each answer in the schema cites documents of its context only"),
        _all("first_of_its_text", True, "no example stands twice"),
        _all("open", True, "no example uses a restricted document"),
        _all("golden_family", False, "no example's family is a source of a golden question"),
        (
            "ExpectColumnMeanToBeBetween",
            {"column": "refuses", "min_value": lowest, "max_value": highest},
            f"the share of refusals is {lowest:g} to {highest:g}",
        ),
        (
            "ExpectColumnValuesToBeBetween",
            {"column": "tokens", "min_value": 1, "max_value": tokens},
            f"each example has 1 to {tokens} tokens",
        ),
    ]


def _all(column: str, value: bool, sentence: str) -> Rule:
    return ("ExpectColumnValuesToBeInSet", {"column": column, "value_set": [value]}, sentence)
