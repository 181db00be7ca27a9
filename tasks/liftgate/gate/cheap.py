"""The cheap answer gate: three conditions on raw answers, without a model, a baseline or an index.

An answer passes a condition if it
- cites: holds `[doc:ID]` or `[kb:ID]`, or comes with a `citations` list that is not empty;
- is grounded: at least 0.22 of its distinct words (letters and digits, three or more, lower case) stand in
  the context;
- keeps the schema: one JSON object with `summary` and `risk` (strings), `next_steps` and `citations`
  (lists of strings). More keys are allowed; a code fence around it is not, on any side of a comparison.
The gate fails when more than 5 % of the rows fail any one of the conditions. Rows with `expected: refuse`
are left out, since a right refusal cites nothing and is grounded in nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liftgate.errors import ConfigurationError

CITATION = re.compile(r"\[(?:doc|kb):[A-Za-z0-9._-]+\]")
WORD = re.compile(r"[^\W_]{3,}")
SMALLEST_GROUNDEDNESS = 0.22
LARGEST_FAILING_SHARE = 0.05
STRINGS = ("summary", "risk")
LISTS = ("next_steps", "citations")
CONDITIONS = ("citation", "groundedness", "schema")
MOST_LINES_SHOWN = 20


@dataclass(frozen=True)
class CheapReport:
    """Counts of the cheap gate. failed: condition -> the rows that failed it, by number, from 1."""

    rows: int
    refusals_left_out: int
    failed: dict[str, tuple[int, ...]]
    groundedness: float | None
    """Mean over the rows that were judged."""

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 2 no rows."""
        if not self.rows:
            return 2
        return 1 if self.failing else 0

    @property
    def failing(self) -> tuple[str, ...]:
        """The conditions that more than 5 % of the rows fail."""
        limit = LARGEST_FAILING_SHARE * self.rows
        return tuple(name for name in CONDITIONS if len(self.failed[name]) > limit)

    @property
    def sentence(self) -> str:
        """One line for people."""
        if not self.rows:
            left_out = f" ({self.refusals_left_out} to be refused were left out)" if self.refusals_left_out else ""
            return f"No rows to judge{left_out}."
        counts = ", ".join(f"{name} {len(self.failed[name])}" for name in CONDITIONS)
        verdict = f"fail ({', '.join(self.failing)})" if self.failing else "pass"
        return f"{verdict}: of {self.rows} rows failed {counts}; at most 5 % may fail each."


def gate_rows(path: str | Path) -> CheapReport:
    """Judge a JSONL file of rows with at least `question`, `context` and `answer`.

    `answer` and `context` may be text or JSON values. Lines that cannot be read are one ConfigurationError.
    """
    return judge_rows(read_rows(path))


def judge_rows(rows: Iterable[Mapping[str, Any]]) -> CheapReport:
    """The same for rows that are already read."""
    failed: dict[str, list[int]] = {name: [] for name in CONDITIONS}
    shares: list[float] = []
    left_out = 0
    for number, row in enumerate(rows, start=1):
        if row.get("expected") == "refuse":
            left_out += 1
            continue
        share = groundedness(as_text(row["answer"]), as_text(row["context"]))
        shares.append(share)
        passed = {
            "citation": cites(row["answer"], row.get("citations")),
            "groundedness": share >= SMALLEST_GROUNDEDNESS,
            "schema": as_schema(row["answer"]) is not None,
        }
        for name in CONDITIONS:
            failed[name] += [] if passed[name] else [number]
    mean = sum(shares) / len(shares) if shares else None
    return CheapReport(len(shares), left_out, {name: tuple(rows) for name, rows in failed.items()}, mean)


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file. Empty lines are skipped; every broken one is named with its number."""
    file = Path(path)
    if not file.is_file():
        raise ConfigurationError(f"Expected a JSONL file of answers, found no {file}. Write the rows there first.")
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        row, problem = _read_row(line)
        rows += [row]
        problems += [f"line {number}: {problem}"] if problem else []
    if problems:
        shown = "\n  ".join(problems[:MOST_LINES_SHOWN])
        raise ConfigurationError(
            f"Expected one JSON object a line with question, context and answer in {file}, found "
            f"{len(problems)} broken lines. Mend or remove them:\n  {shown}"
        )
    return rows


def cites(answer: Any, citations: Any = None) -> bool:
    """Does the answer hold a citation tag, or come with a list of citations that is not empty?"""
    parsed = _parsed(answer)
    listed = parsed.get("citations") if isinstance(parsed, dict) else None
    return any(isinstance(value, list) and value for value in (citations, listed)) or bool(
        CITATION.search(as_text(answer))
    )


def groundedness(answer: str, context: str) -> float:
    """Share of the answer's distinct words that stand in the context; 0 for an answer without words.

    Example: answer "Sixteen weeks, paid", context "sixteen weeks of leave" -> 2/3.
    """
    words = set(WORD.findall(answer.lower()))
    return len(words & set(WORD.findall(context.lower()))) / len(words) if words else 0.0


def as_schema(answer: Any) -> dict[str, Any] | None:
    """The answer as the object of the schema, or None if it is not exactly one such object.

    Example: '{"summary": "a", "risk": "b", "next_steps": [], "citations": []}' -> that dict; the same in a
    code fence, or with risk 3 -> None.
    """
    parsed = _parsed(answer)
    if not isinstance(parsed, dict):
        return None
    strings = all(isinstance(parsed.get(key), str) for key in STRINGS)
    lists = all(isinstance(parsed.get(key), list) for key in LISTS)
    if not strings or not lists:
        return None
    return parsed if all(isinstance(item, str) for key in LISTS for item in parsed[key]) else None


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parsed(answer: Any) -> Any:
    if not isinstance(answer, str):
        return answer
    try:
        return json.loads(answer.strip())
    except (ValueError, RecursionError):
        return None


def _read_row(line: bytes) -> tuple[dict[str, Any], str | None]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {}, f"not JSON ({error})"
    if not isinstance(row, dict):
        return {}, f"expected an object, found {type(row).__name__}"
    missing = [key for key in ("question", "context", "answer") if row.get(key) is None]
    return row, f"without {', '.join(missing)}" if missing else None
