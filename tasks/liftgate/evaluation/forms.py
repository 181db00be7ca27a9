"""Answers that are no prose: the call of a tool, or the label of a class.

A call is right as the Berkeley function-calling leaderboard has it: the tool's name first, then every argument, and
none that was not asked for. Unlike there, punctuation in a string counts, since without it 1.5 would be 15. Macro-F1 is
scikit-learn's `f1_score(average="macro")` over the labels that the questions expect.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict, JsonValue

from liftgate.evaluation.plain_text import comparable


@dataclass(frozen=True)
class Call:
    """A call of a tool, written as {"name": ..., "arguments": {...}}."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    arguments: dict[str, JsonValue]

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("expected the name of a tool, found an empty one")

    def as_answer(self) -> str:
        """The text that a model should write."""
        return json.dumps({"name": self.name, "arguments": self.arguments}, ensure_ascii=False)


def as_call(text: str) -> Call | None:
    """The call that an answer is, or None if it is not exactly one JSON object with a name and arguments.

    More keys are allowed; a code fence around it, a list of calls, or arguments as text are not.
    Example: '{"name": "book_room", "arguments": {"room": "R-12"}}' -> Call("book_room", {"room": "R-12"}).
    """
    try:
        answer = json.loads(text.strip())
    except (ValueError, RecursionError):
        return None
    name, arguments = (answer.get("name"), answer.get("arguments")) if isinstance(answer, dict) else (None, None)
    if not isinstance(name, str) or not name.strip() or not isinstance(arguments, dict):
        return None
    return Call(name, arguments)


def names_the_tool(text: str, expected: Call) -> bool:
    """Is the answer a call of that very tool? A program looks it up by name, so its case counts."""
    found = as_call(text)
    return found is not None and found.name == expected.name


def calls_rightly(text: str, expected: Call) -> bool:
    """Is the answer a call of that tool with equal arguments? The right arguments of another tool are of no use.

    Equal are strings that differ in case and white space only, and numbers of one value; nothing else, so "2" is not
    2, true is not 1, and an argument too many is as wrong as one that is missing.
    Example: expected {"room": "R-12", "hours": 2}: {"hours": 2.0, "room": "r-12 "} is equal, {"room": "R-12"} is not.
    """
    found = as_call(text)
    return found is not None and found.name == expected.name and _equal(found.arguments, expected.arguments)


def is_label(text: str, expected: str) -> bool:
    """Is the answer that label and nothing else? Case, markup, quotes around it and a full stop do not count.

    Example: label "payroll": "**Payroll**." is it, "It is payroll" is not.
    """
    return _bare(text) == _bare(expected)


def macro_f1(pairs: Sequence[tuple[str, str | None]]) -> float:
    """Mean over the expected labels of 2 TP / (2 TP + FP + FN). pairs: expected label, and answer or None.

    An answer that is none of the labels is a miss of the expected one and counts against no other.
    Example: [("a", "a"), ("a", "b"), ("b", "b"), ("b", "so b")] -> a: 2/3, b: 1/2 -> 0.583.
    """
    labels = sorted({_bare(expected) for expected, _ in pairs})
    read = [(_bare(expected), _bare(text or "")) for expected, text in pairs]
    return sum(_f1(label, read) for label in labels) / len(labels)


def _f1(label: str, pairs: Iterable[tuple[str, str]]) -> float:
    """Every label is expected somewhere, so the divisor is never 0."""
    hits = [((expected == label), (found == label)) for expected, found in pairs]
    right = 2 * hits.count((True, True))
    return right / (right + hits.count((True, False)) + hits.count((False, True)))


def _bare(label: str) -> str:
    return comparable(label).strip(" .\"'")


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() == expected.keys() and all(_equal(found[key], expected[key]) for key in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(_equal, found, expected))
    if isinstance(expected, str) and isinstance(found, str):
        return _folded(found) == _folded(expected)
    # For Python, True is 1.
    return isinstance(found, bool) == isinstance(expected, bool) and bool(found == expected)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()
