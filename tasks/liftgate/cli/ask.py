"""`liftgate ask`: an answer as an application gets it, or the refusal and its layer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from liftgate.answering import answer_questions
from liftgate.errors import LiftgateError
from liftgate.evaluation import answer_metrics
from liftgate.evaluation.retrieval_metrics import Context, ContextChunk
from liftgate.gate.cheap import as_schema
from liftgate.index.rows import Hit
from liftgate.prompts import parse_prompt
from liftgate.releases.serving import Serving, serving
from liftgate.retrieval import Asked

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Shown:
    """What is shown of an answer. `layer` is who refused: retrieval, the model, or nobody (None)."""

    served: Serving
    text: str | None
    layer: str | None
    best_score: float | None
    chunks: tuple[Hit, ...]
    """The context that the model was given."""

    def lines(self) -> Iterator[Any]:
        """Text and tables for the terminal. What the asker may not read is never named."""
        if self.layer == "retrieval":
            yield f"Refused by retrieval, without asking the model: {self._why()}"
        elif self.text is None:
            yield "There is no answer: the model gave none."
        else:
            yield from ["Refused by the model:"] if self.layer else []
            yield from _answer(self.text)
            yield from _citations(self.text, self.chunks)
        release, by = self.served.release, " with the canary" if self.served.side == "canary" else ""
        yield f"Release {release.n} of {release.kb}{by}: {self.served.makeup}"

    def _why(self) -> str:
        if self.best_score is None:
            return "nothing is visible to these groups."
        limit = self.served.makeup.retrieval.settings.min_score
        return f"the nearest text scores {self.best_score:.3f}, and {limit:.3f} is needed."


def ask(runtime: Runtime, kb: str, question: str, groups: tuple[str, ...], reader: str | None = None) -> Shown:
    """Answer by the live release, or by the canary to one of its readers. Raises LiftgateError if nothing is live."""
    served = _served(runtime, kb, reader)
    answered = answer_questions(runtime, served.makeup, [Asked(question, groups)])[0]
    found = answered.found
    chunks = tuple(ContextChunk(hit.doc_id, hit.uri, hit.section, hit.text) for hit in found.chunks)
    given = answer_metrics.Answered(Context(question, chunks, found.best_score, found.min_score), answered.text)
    layer = given.refused_by(parse_prompt(served.makeup.prompt.text).refusal)
    return Shown(served, answered.text, layer, found.best_score, found.chunks)


def _served(runtime: Runtime, kb: str, reader: str | None) -> Serving:
    with runtime.database.transaction() as connection:
        served = serving(connection, kb, reader)
    if served is None:
        raise LiftgateError(
            f"Expected a live release of {kb}, found none. Check the name, or let kb_{kb} run until one is promoted."
        )
    return served


def _answer(text: str) -> Iterator[Any]:
    """The fields of a valid answer, or the text as it is."""
    answer = as_schema(text)
    if answer is None:
        yield text
        return
    yield answer["summary"]
    yield f"Risk: {answer['risk']}"
    yield from (f"  - {step}" for step in answer["next_steps"])
    more = {key: value for key, value in answer.items() if key not in ("summary", "risk", "next_steps", "citations")}
    yield from [json.dumps(more, ensure_ascii=False)] if more else []


def _citations(text: str, chunks: tuple[Hit, ...]) -> Iterator[Any]:
    """Each cited document with its place. An id that was not in the context is invented, and said to be."""
    cited = sorted(answer_metrics.cited_ids(text))
    if not cited:
        yield "It cites nothing."
        return
    table = Table("cited", "section", "document")
    for doc_id in cited:
        hits = [hit for hit in chunks if hit.doc_id == doc_id]
        sections = ", ".join(dict.fromkeys(hit.section for hit in hits))
        table.add_row(doc_id, sections, hits[0].uri if hits else "not in the context: the model made it up")
    yield table
