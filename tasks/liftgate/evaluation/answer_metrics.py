"""Generated answers: form, facts, citations, groundedness and refusals, one row per question and metric.

An answer is read as JSON only if it is exactly one JSON object (see gate/cheap.py); a code fence or a
sentence around it makes it plain text, on both sides alike. Questions that must be refused have rows of
refusal_correct alone. An answerable question has rows of what it expects: a text, the call of a tool (tool_name,
tool_arguments) or a label (label_match). Where it was refused they are 0, since it gave the asker nothing; but
schema_valid is about what the model wrote, so there is no row where the model was not called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from liftgate.evaluation.evidence import Row, Side
from liftgate.evaluation.forms import calls_rightly, is_label, macro_f1, names_the_tool
from liftgate.evaluation.plain_text import comparable
from liftgate.evaluation.questions import Question
from liftgate.evaluation.retrieval_metrics import Context
from liftgate.gate.cheap import CITATION, as_schema, groundedness

SERVED = ("answer_match", "citation_correct", "groundedness")
"""What a text is measured by."""
CALLED = ("tool_name", "tool_arguments")
LABELLED = ("label_match",)
TAG = re.compile(r"\[((?:doc|kb):[A-Za-z0-9._-]+)\]")


@dataclass(frozen=True)
class Answered:
    """A question with the context it was given. text None and not refused by retrieval: missing."""

    context: Context
    text: str | None

    @property
    def missing(self) -> bool:
        """Did an answer that had to come not come?"""
        return self.text is None and not self.context.refused

    def refused_by(self, refusal: str) -> Literal["retrieval", "model"] | None:
        """The layer that refused, if one did. refusal: the sentence that the prompt asks for."""
        if self.context.refused:
            return "retrieval"
        sentence = comparable(refusal)
        return "model" if sentence and sentence in comparable(_said(self.text or "")) else None


@dataclass(frozen=True)
class RefusalCounts:
    """Refusals by layer, for the report.

    false_*: answerable questions that the layer refused. caught_*: questions to be refused that the layer
    refused. missed: questions to be refused that neither did; the model's misses. Those that retrieval
    missed are caught_by_model + missed.
    """

    answerable: int
    to_refuse: int
    false_by_retrieval: int
    false_by_model: int
    caught_by_retrieval: int
    caught_by_model: int
    missed: int


def answer_rows(side: Side, questions: Sequence[Question], answers: Mapping[str, Answered], refusal: str) -> list[Row]:
    """The rows of one side. answers: by question id; a question without one is missing."""
    rows: list[Row] = []
    for question in questions:
        values = answer_values(question, answers.get(question.id), refusal)
        rows += [Row(side, question.id, question.family, name, v, question.slices) for name, v in values.items()]
    return rows


def answer_values(question: Question, answered: Answered | None, refusal: str) -> dict[str, float | None]:
    """The values of one answer by metric, None where it is missing.

    Example: an answerable question refused by retrieval -> {"refusal_correct": 0.0, "answer_match": 0.0,
    "citation_correct": 0.0, "groundedness": 0.0}.
    """
    served = _served(question)
    if answered is None or answered.missing:
        return dict.fromkeys(("refusal_correct", *(("schema_valid",) if served == SERVED else ()), *served))
    layer = answered.refused_by(refusal)
    values: dict[str, float | None] = {"refusal_correct": float((layer is None) == question.answerable)}
    text = answered.text or ""
    if served == SERVED and layer != "retrieval":
        values["schema_valid"] = float(as_schema(text) is not None)
    if layer is not None:
        return values | dict.fromkeys(served, 0.0)
    return values | _measured(question, text, answered.context)


def _served(question: Question) -> tuple[str, ...]:
    """The metrics of an answer that serves its asker."""
    if not question.answerable:
        return ()
    return CALLED if question.call else LABELLED if question.label else SERVED


def _measured(question: Question, text: str, context: Context) -> dict[str, float]:
    if not question.answerable:
        return {}
    if question.call:
        return {
            "tool_name": float(names_the_tool(text, question.call)),
            "tool_arguments": float(calls_rightly(text, question.call)),
        }
    if question.label:
        return {"label_match": float(is_label(text, question.label))}
    return {
        "answer_match": float(matches(text, question.must_contain)),
        "citation_correct": float(cites_correctly(text, question, context)),
        "groundedness": summary_groundedness(text, context),
        "groundedness_raw": groundedness(text, context_text(context)),
    }


def label_f1(questions: Sequence[Question], answers: Mapping[str, Answered]) -> float | None:
    """Macro-F1 over the questions that expect a label, for the report; None where there is none.

    An answer that is missing or was refused is a miss.
    """
    expected = [(question.id, question.label) for question in questions if question.label]
    given = {name: answered.text for name, answered in answers.items()}
    return macro_f1([(label, given.get(name)) for name, label in expected]) if expected else None


def refusal_counts(questions: Sequence[Question], answers: Mapping[str, Answered], refusal: str) -> RefusalCounts:
    """Count refusals by layer. Missing answers are left out here; their rows say None."""
    given = [(q, answers[q.id]) for q in questions if q.id in answers and not answers[q.id].missing]
    layers = [(question.answerable, answered.refused_by(refusal)) for question, answered in given]
    return RefusalCounts(
        answerable=sum(answerable for answerable, _ in layers),
        to_refuse=sum(not answerable for answerable, _ in layers),
        false_by_retrieval=layers.count((True, "retrieval")),
        false_by_model=layers.count((True, "model")),
        caught_by_retrieval=layers.count((False, "retrieval")),
        caught_by_model=layers.count((False, "model")),
        missed=layers.count((False, None)),
    )


def matches(text: str, must_contain: Sequence[Sequence[str]]) -> bool:
    """Does the answer hold a variant of each group, as whole words and numbers?

    Example: "up to 16 weeks" holds [["sixteen weeks", "16 weeks"]], and does not hold [["6 weeks"]].
    """
    said = comparable(_said(text))
    return all(any(_stands_alone(comparable(variant), said) for variant in group) for group in must_contain)


def cites_correctly(text: str, question: Question, context: Context) -> bool:
    """Is something cited, and is all of it in the context and a source of the question?"""
    relevant = {chunk.doc_id for chunk in context.chunks if chunk.uri in question.sources}
    cited = cited_ids(text)
    return bool(cited) and cited <= relevant


def cited_ids(text: str) -> set[str]:
    """The documents that an answer cites, in its citations list or by tags, without `doc:` or `kb:`.

    Example: '... [doc:hr.leave.md]' -> {"hr.leave.md"}.
    """
    answer = as_schema(text)
    listed = answer["citations"] if answer else []
    named = [item.strip().removeprefix("[").removesuffix("]") for item in listed] + TAG.findall(text)
    return {name.split(":", 1)[1] if name.startswith(("doc:", "kb:")) else name for name in named}


def summary_groundedness(text: str, context: Context) -> float:
    """Share of the words of the summary, or of the whole text if it is not JSON, that stand in the context.

    Citations are taken out first: an id that was copied is not a statement that is grounded.
    """
    answer = as_schema(text)
    summary = answer["summary"] if answer else text
    return groundedness(CITATION.sub(" ", summary), context_text(context))


def cheap_rows(questions: Sequence[Question], answers: Mapping[str, Answered]) -> list[dict[str, Any]]:
    """Rows for the cheap gate (`judge_rows`): every answer that a model wrote."""
    return [
        {
            "question": question.question,
            "context": context_text(answers[question.id].context),
            "answer": answers[question.id].text,
            "expected": question.expected,
        }
        for question in questions
        if question.id in answers and answers[question.id].text is not None
    ]


def context_text(context: Context) -> str:
    """The texts of a context's chunks, best first."""
    return "\n\n".join(chunk.text for chunk in context.chunks)


def _said(text: str) -> str:
    """The strings of a JSON answer without its citations, or the text without its tags."""
    answer = as_schema(text)
    said = "\n".join([answer["summary"], answer["risk"], *answer["next_steps"]]) if answer else text
    return CITATION.sub(" ", said)


def _stands_alone(variant: str, text: str) -> bool:
    """Not inside a word or a longer number: 5 stands neither in 15 nor in 2.5 nor in 5,000."""
    return bool(variant) and bool(re.search(rf"(?<!\w)(?<!\d[.,]){re.escape(variant)}(?!\w)(?![.,]\d)", text))
