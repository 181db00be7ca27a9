"""Retrieval, measured on the chunks that fit the context budget, by evidence quote and never by chunk id.

Units: the one relevant "document" of a question is its evidence. The first chunk of the context that comes
from one of the question's sources and holds its quote stands for it; later ones repeat it and count as
nothing. So recall is 1 if the evidence is in the context, rr is 1 / rank and ndcg is 1 / log2(1 + rank) of
that chunk, all by ir-measures, and none of them depends on how documents were cut.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from liftgate.evaluation.evidence import Row, Side
from liftgate.evaluation.plain_text import quote_stands
from liftgate.evaluation.questions import Question

EVIDENCE = "evidence"
MEASURED = {"R@1000": "recall", "RR": "rr", "nDCG": "ndcg"}
"""No context holds a thousand chunks, so R@1000 is the recall of the whole context."""


@dataclass(frozen=True)
class ContextChunk:
    """A chunk as it stands in a prompt's context. doc_id: the id that answers cite, without `doc:`."""

    doc_id: str
    uri: str
    section: str
    text: str


@dataclass(frozen=True)
class Context:
    """What retrieval found for a question: the chunks that fit the budget, best first.

    They are given also where the question is refused, so that recall does not depend on min_score.
    """

    question: str
    chunks: tuple[ContextChunk, ...]
    best_score: float | None
    """None if nothing is visible to the asker."""
    min_score: float

    @property
    def refused(self) -> bool:
        """Is the question refused without calling the model?"""
        return self.best_score is None or self.best_score < self.min_score


def retrieval_rows(side: Side, questions: Sequence[Question], contexts: Mapping[str, Context]) -> list[Row]:
    """Rows of recall, rr and ndcg for answerable questions, and of refusal_correct for all of them.

    contexts: by question id; a question without one has missing rows.
    refusal_correct is about the first layer of refusal alone, since no model has answered yet.
    """
    found = _measured(questions, contexts)
    rows = []
    for question in questions:
        context = contexts.get(question.id)
        if question.answerable:
            rows += [_row(side, question, m, found.get((question.id, m))) for m in MEASURED.values()]
        right = None if context is None else float(context.refused != question.answerable)
        rows.append(_row(side, question, "refusal_correct", right))
    return rows


def evidence_rank(question: Question, context: Context) -> int | None:
    """Rank from 1 of the first chunk that holds the question's evidence, None if none does."""
    for rank, chunk in enumerate(context.chunks, start=1):
        if chunk.uri in question.sources and quote_stands(question.quote, chunk.text):
            return rank
    return None


def find_leaks(
    questions: Iterable[Question], contexts: Mapping[str, Context], readers: Mapping[str, Collection[str]]
) -> list[str]:
    """Chunks in a context that the asker may not read today, or whose document is deleted.

    readers: uri -> groups that may read it, for every document of today's sources.
    Run it over all questions, also those set aside. Example: ["q-17: finance/pay.md is not for staff"].
    """
    leaks = []
    for question in questions:
        context = contexts.get(question.id)
        for uri in dict.fromkeys(chunk.uri for chunk in context.chunks) if context else ():
            if uri not in readers:
                leaks.append(f"{question.id}: {uri} is deleted")
            elif not set(question.groups) & set(readers[uri]):
                leaks.append(f"{question.id}: {uri} is not for {', '.join(question.groups) or 'nobody'}")
    return leaks


def _measured(questions: Sequence[Question], contexts: Mapping[str, Context]) -> dict[tuple[str, str], float]:
    """Values by (question, metric) for the answerable questions that have a context."""
    import ir_measures

    asked = [question for question in questions if question.answerable and question.id in contexts]
    qrels = [ir_measures.Qrel(question.id, EVIDENCE, 1) for question in asked]
    run = [
        ir_measures.ScoredDoc(question.id, name, -float(rank))
        for question in asked
        for rank, name in enumerate(_ranked_names(question, contexts[question.id]), start=1)
    ]
    measures = [ir_measures.parse_measure(name) for name in MEASURED]
    values = ir_measures.iter_calc(measures, qrels, run)
    return {(item.query_id, MEASURED[str(item.measure)]): float(item.value) for item in values}


def _ranked_names(question: Question, context: Context) -> list[str]:
    """One name for each chunk; the first one with the evidence has its name."""
    hit = evidence_rank(question, context)
    return [EVIDENCE if rank == hit else str(rank) for rank in range(1, len(context.chunks) + 1)]


def _row(side: Side, question: Question, metric: str, value: float | None) -> Row:
    return Row(side, question.id, question.family, metric, value, question.slices)
