"""Find the chunks of a release for a question, on behalf of somebody with groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liftgate.generations import collection
from liftgate.index.rows import Hit
from liftgate.releases.makeup import Makeup

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Asked:
    """A question and the groups of who asks."""

    question: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """The chunks that fit the context budget, best first. `best_score` is None where nothing is visible."""

    chunks: tuple[Hit, ...]
    best_score: float | None
    min_score: float

    @property
    def refused(self) -> bool:
        """Whether the question is refused without calling a model: nothing visible, or nothing near enough."""
        return self.best_score is None or self.best_score < self.min_score


def retrieve(runtime: Runtime, makeup: Makeup, asked: Sequence[Asked]) -> list[Found]:
    """Search the release's generation for each question. Groups and generation are part of the query itself."""
    settings = makeup.retrieval.settings
    with runtime.database.transaction() as connection:
        where = collection(connection, makeup.retrieval.collection_id)
    vectors, _ = runtime.embed(where.embeddings, [one.question for one in asked])
    found = []
    with runtime.database.transaction() as connection:
        index = runtime.index_in(connection, where)
        for one, vector in zip(asked, vectors, strict=True):
            hits = index.search(vector, one.question, settings.top_k, makeup.retrieval.generation, one.groups, settings)
            best = max((hit.score for hit in hits), default=None)
            if settings.rerank:
                hits = runtime.rerank(settings.rerank_model, one.question, hits)
            found.append(Found(_fitting(runtime, makeup, hits), best, settings.min_score))
    return found


def context_of(chunks: Sequence[Hit]) -> str:
    """The context as it stands in a prompt: each chunk behind the id that an answer cites."""
    return "\n\n".join(_in_context(hit) for hit in chunks)


def _in_context(hit: Hit) -> str:
    return f"[doc:{hit.doc_id}]\n{hit.text}"


def _fitting(runtime: Runtime, makeup: Makeup, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The best chunks that the budget holds by the generator's tokenizer; one that is too long is passed over."""
    from liftgate.answering.base_model import base_tokenizer  # answers are made of what is retrieved: that way round

    tokenizer = base_tokenizer(makeup.base.model, runtime.settings.models_dir)
    left = makeup.retrieval.settings.max_context_tokens
    chosen = []
    for hit in hits:
        tokens = tokenizer.count(_in_context(hit))
        if tokens <= left:
            chosen.append(hit)
            left -= tokens
    return tuple(chosen)
