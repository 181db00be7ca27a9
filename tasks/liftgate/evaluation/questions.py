"""Golden questions: what they hold, how they are read, and which of them count today."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter, ValidationError

from liftgate.errors import ConfigurationError
from liftgate.evaluation.families import Families
from liftgate.evaluation.forms import Call
from liftgate.evaluation.plain_text import quote_stands
from liftgate.fingerprints import fingerprint
from liftgate.text_files import read_text

Status = Literal["counts", "needs_review", "document_deleted"]
MOST_ERRORS_SHOWN = 50


@dataclass(frozen=True)
class Question:
    """One golden question. family: of its sources, or of the nearest document if nothing answers it."""

    id: str
    question: str
    family: str
    expected: Literal["answer", "refuse"]
    groups: tuple[str, ...] = ()
    """Groups of the asker."""
    why: Literal["absent", "hidden"] | None = None
    """Why it must be refused: nothing answers it, or the asker may not read what does."""
    sources: tuple[str, ...] = ()
    """Uris of the documents that answer it."""
    quote: str = ""
    """Evidence, as it stands in a source: short, and inside one sentence or cell."""
    must_contain: tuple[tuple[str, ...], ...] = ()
    """Of each group of variants, one must stand in the answer."""
    call: Call | None = None
    """In place of must_contain: the call of a tool that the answer must be."""
    label: str | None = None
    """In place of must_contain: the label that the answer must be."""
    slices: tuple[str, ...] = ()
    judged: tuple[Literal["retrieval", "answers"], ...] = ("retrieval",)
    """Which evaluations it belongs to."""

    @property
    def answerable(self) -> bool:
        """Must it be answered?"""
        return self.expected == "answer"


class Sourced(Protocol):
    """What has a family and sources: a golden question or a tuning example."""

    @property
    def family(self) -> str: ...

    @property
    def sources(self) -> Sequence[str]: ...


def read_questions(path: str | Path) -> list[Question]:
    """Read a JSONL file of questions. One ConfigurationError lists all that is wrong, with its lines."""
    file = Path(path)
    questions: list[Question] = []
    problems: list[str] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(read_text(file, "golden questions").split("\n"), start=1):
        if not line.strip():
            continue
        question, found = _read_line(line)
        if question and question.id in first_line:
            found = [*found, f"id {question.id!r} is also on line {first_line[question.id]}; rename one"]
        elif question:
            first_line[question.id] = number
            questions.append(question)
        problems += [f"{file}, line {number}: {problem}" for problem in found]
    if not questions and not problems:
        problems = [f"{file}: there is no question; write at least one"]
    _raise_if(problems)
    return questions


def digest(questions: Iterable[Question]) -> str:
    """The fingerprint of a set of questions, whatever its order. Part of the evaluation fingerprint."""
    return fingerprint(sorted((_told(question) for question in questions), key=lambda item: item["id"]))


def _told(question: Question) -> dict[str, Any]:
    """Without fields that came later and are not used, so that no file was judged on other questions by an upgrade."""
    later = ("call", "label")
    return {name: value for name, value in asdict(question).items() if name not in later or value is not None}


def status(question: Question, texts: Sequence[str | None], asker_may_read: bool | None = None) -> Status:
    """Does a question count under today's sources?

    texts: for each of question.sources the plain text of the document now, None if it is deleted.
    asker_may_read: whether the asker's groups may read one of the sources today, if that is known.
    needs_review: the quote is gone, or access changed so that what was expected is no longer right.
    document_deleted: all sources are gone; none of their chunks may be retrieved.
    Example: quote "sixteen weeks", text now "eighteen weeks" -> needs_review.
    """
    if not question.sources:
        return "counts"
    present = [text for text in texts if text is not None]
    if not present:
        return "document_deleted"
    if asker_may_read is not None and asker_may_read != question.answerable:
        return "needs_review"
    if question.quote and not any(quote_stands(question.quote, text) for text in present):
        return "needs_review"
    return "counts"


def family_problems(questions: Iterable[Question], families: Families) -> list[str]:
    """Questions that do not name the family of their sources, each with the remedy."""
    problems = []
    for question in questions:
        found = sorted({families.of(uri) for uri in question.sources})
        if found and question.family not in found:
            names = ", ".join(found)
            problems.append(f"{question.id}: family {question.family!r}, but its sources are in {names}; use that")
    return problems


def crossing_families(questions: Iterable[Question], tuning: Iterable[Question], families: Families) -> list[str]:
    """Families that both golden questions and tuning material use; there must be none.

    A family is used by the name that a question gives and through its sources.
    """
    return sorted(_used(questions, families) & _used(tuning, families))


def _used(items: Iterable[Sourced], families: Families) -> set[str]:
    used: set[str] = set()
    for item in items:
        used |= {item.family, *(families.of(uri) for uri in item.sources)}
    return used


def _read_line(line: str) -> tuple[Question | None, list[str]]:
    try:
        data = json.loads(line)
    except ValueError as error:
        return None, [f"not JSON ({error}); write one object on one line"]
    if not isinstance(data, dict):
        return None, [f"expected an object, found {type(data).__name__}; write one object on one line"]
    unknown = sorted(set(data) - set(Question.__dataclass_fields__))
    found = [f"unknown field {name!r}; remove it or correct its name" for name in unknown]
    known = {name: value for name, value in data.items() if name not in unknown}
    try:
        question = _shape().validate_python(known)
    except ValidationError as error:
        return None, found + [_explain(item) for item in error.errors()]
    return question, found + _inconsistencies(question)


@cache
def _shape() -> TypeAdapter[Question]:
    return TypeAdapter(Question)


def _explain(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    return f"field {place}: {item['msg']}; found {item['input']!r}; correct it"


def _inconsistencies(question: Question) -> list[str]:
    answerable, hidden = question.answerable, question.why == "hidden"
    named = question.id.strip() and question.question.strip() and question.family.strip()
    blank = any(not group or not all(text.strip() for text in group) for group in question.must_contain)
    forms = [bool(question.must_contain), question.call is not None, question.label is not None]
    vague = answerable and "answers" in question.judged and not any(forms)
    wrong = {
        "id, question and family must not be empty; fill them": not named,
        "it is answerable and has no sources; name the documents that answer it": answerable and not question.sources,
        "it is answerable and has no quote; copy the evidence from a source": answerable and not question.quote.strip(),
        "its answers are judged and it has no must_contain, call or label; name what an answer must be": vague,
        "it has more than one of must_contain, call and label; keep one": sum(forms) > 1,
        "its label is empty; fill or remove it": question.label is not None and not question.label.strip(),
        "it must be refused and has a call or label; remove that": not answerable and any(forms[1:]),
        "must_contain has an empty group or variant; fill or remove it": blank,
        "it must be refused and has no `why`; write absent or hidden": not answerable and not question.why,
        "it is hidden and has no sources; name what the asker may not read": hidden and not question.sources,
        "it is answerable and has a `why`; remove that, or expect a refusal": answerable and bool(question.why),
    }
    return [problem for problem, holds in wrong.items() if holds]


def _raise_if(problems: list[str]) -> None:
    if not problems:
        return
    more = len(problems) - MOST_ERRORS_SHOWN
    shown = problems[:MOST_ERRORS_SHOWN] + ([f"and {more} more"] if more > 0 else [])
    raise ConfigurationError(
        f"Expected questions without errors, found {len(problems)}. Mend these lines:\n  " + "\n  ".join(shown)
    )
