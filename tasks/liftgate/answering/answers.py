"""Answer questions as a release does. Each answer is stored under all that it depends on, and looked up first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liftgate.answering.generator import Answer, Messages, Request
from liftgate.database import queries
from liftgate.errors import LiftgateError, RequestsRefused
from liftgate.fingerprints import fingerprint
from liftgate.prompts import Prompt, parse_prompt
from liftgate.releases.makeup import Makeup
from liftgate.retrieval import Asked, Found, context_of, retrieve

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

ANSWERS_AT_ONCE = 16
"""Answers that are stored together, as soon as there are so many."""


@dataclass(frozen=True)
class Answered:
    """A question with what was found for it and the answer. No text: refused by retrieval, or not generated yet."""

    asked: Asked
    found: Found
    text: str | None


def answer_questions(
    runtime: Runtime, makeup: Makeup, asked: Sequence[Asked], max_missing_share: float = 0.0
) -> list[Answered]:
    """Answers of a release. Nothing visible or nothing near enough is refused without calling the model.

    max_missing_share: of the questions, those that may stay without an answer because a server refuses them (a filter,
    a length). Raises RequestsRefused where there are more, since a verdict on so few would only be inconclusive.
    """
    missing = missing_answers(runtime, makeup, asked)
    generator = runtime.generator(makeup)
    try:
        for answers in _batched(generator.answers(missing), ANSWERS_AT_ONCE):
            store_answers(runtime, answers)
    except RequestsRefused as error:
        if error.requests > max_missing_share * len(asked):
            raise
        print(f"{error.requests} of {len(asked)} questions stay without an answer, and the gate counts them. {error}")
    return known_answers(runtime, makeup, asked)


def missing_answers(runtime: Runtime, makeup: Makeup, asked: Sequence[Asked]) -> list[Request]:
    """What the model still has to be asked, each under the id that its answer is stored by."""
    found = retrieve(runtime, makeup, asked)
    prompt = parse_prompt(makeup.prompt.text)
    wanted: dict[str, Messages] = {}
    for one, hits in zip(asked, found, strict=True):
        if not hits.refused:
            wanted[answer_key(runtime, makeup, one, hits)] = messages_for(prompt, one, hits)
    known = _known(runtime, list(wanted))
    print(f"{len(asked)} questions: {len(asked) - len(wanted)} refused by retrieval, {len(known)} answers known")
    return [Request(key, messages) for key, messages in wanted.items() if key not in known]


def store_answers(runtime: Runtime, answers: Sequence[Answer]) -> None:
    """Keep answers for whoever asks the same of the same model again."""
    with runtime.database.transaction() as connection:
        queries().store_answers(connection, [vars(answer) for answer in answers])


def _batched(answers: Iterator[Answer], size: int) -> Iterator[list[Answer]]:
    """The answers so many at a time; those that came before an error are handed on before it is raised."""
    batch: list[Answer] = []
    try:
        for answer in answers:
            batch.append(answer)
            if len(batch) == size:
                yield batch
                batch = []
    except LiftgateError:
        yield batch
        raise
    yield batch


def known_answers(runtime: Runtime, makeup: Makeup, asked: Sequence[Asked]) -> list[Answered]:
    """The same from what is stored, without calling a model: an answer that is missing stays missing."""
    found = retrieve(runtime, makeup, asked)
    keys = [
        None if hits.refused else answer_key(runtime, makeup, one, hits) for one, hits in zip(asked, found, strict=True)
    ]
    known = _known(runtime, [key for key in keys if key])
    return [
        Answered(one, hits, known.get(key) if key else None) for one, hits, key in zip(asked, found, keys, strict=True)
    ]


def messages_for(prompt: Prompt, asked: Asked, found: Found) -> Messages:
    """The conversation for a question: one message, since not every model knows a system role."""
    return [{"role": "user", "content": prompt.render(context_of(found.chunks), asked.question)}]


def answer_key(runtime: Runtime, makeup: Makeup, asked: Asked, found: Found) -> str:
    """All that an answer depends on, as one hash."""
    parts = makeup.parts()
    depends = [context_of(found.chunks), asked.question, parts["prompt"], parts["adapter"], parts["decoding"]]
    return fingerprint(depends if runtime.answered_by is None else [*depends, runtime.answered_by])


def _known(runtime: Runtime, keys: list[str]) -> dict[str, str]:
    with runtime.database.transaction() as connection:
        return {row["key"]: row["text"] for row in queries().known_answers(connection, keys=keys)}
