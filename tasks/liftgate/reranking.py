"""Order hits again by a model that reads question and chunk together: a local cross-encoder, or a server's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import Any

from liftgate.errors import ConfigurationError, ModelServerRefused
from liftgate.index.rows import Hit
from liftgate.local.models import model_folder
from liftgate.model_server import ModelServer
from liftgate.settings import Settings

Scorer = Callable[[str, list[str]], list[float]]
"""From a question and texts to a score for each text, in their order; higher is better."""


def rerank(scorer: Scorer, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits, best first by the scorer, with its scores. Hits that cannot be scored are an error, never unranked."""
    scores = scorer(question, [hit.text for hit in hits]) if hits else []
    scored = [replace(hit, score=score) for hit, score in zip(hits, scores, strict=True)]
    return sorted(scored, key=lambda hit: -hit.score)


def scorer_for(settings: Settings, model: str | None) -> Scorer:
    """The server of the installation, if it names one, else a local cross-encoder. Raises ConfigurationError."""
    if settings.rerank_url:
        return _ServerScorer(settings, model)
    if model is None:
        raise ConfigurationError(
            "Expected LIFTGATE_RERANK_URL or retrieval_defaults.rerank_model, since retrieval_defaults.rerank is on, "
            "found none. Set the address of a server (in Airflow `rerank_url` in the extras of liftgate_database), "
            "name a cross-encoder's folder, or set rerank to false."
        )
    return lambda question, texts: _local_scores(model, question, texts)


class _ServerScorer:
    """Asks a rerank address, in one of the two forms that such servers speak."""

    def __init__(self, settings: Settings, model: str | None):
        self._tei = settings.rerank_api == "tei"
        self._model = {"model": model} if model else {}
        self._server = ModelServer("rerank", settings)

    def __call__(self, question: str, texts: list[str]) -> list[float]:
        body: dict[str, Any] = {"query": question, "texts" if self._tei else "documents": texts}
        answer = self._server.post("", body if self._tei else {**body, **self._model})
        try:
            rows = answer if self._tei else answer["results"]
            scores = {int(row["index"]): float(row["score" if self._tei else "relevance_score"]) for row in rows}
        except (KeyError, TypeError, ValueError) as error:
            raise self._wrong("another form", "Set LIFTGATE_RERANK_API to the form that it speaks") from error
        if sorted(scores) != list(range(len(texts))) or not all(map(isfinite, scores.values())):
            raise self._wrong(f"{len(scores)} that can be used", "Look after that server")
        return [scores[place] for place in range(len(texts))]

    def _wrong(self, found: str, remedy: str) -> ModelServerRefused:
        return ModelServerRefused(
            f"Expected a score for each chunk from {self._server.place}, found {found}. {remedy}, or set "
            "retrieval_defaults.rerank to false."
        )


def _local_scores(model: str, question: str, texts: list[str]) -> list[float]:
    return [float(score) for score in _cross_encoder(model).predict([(question, text) for text in texts])]


@lru_cache(maxsize=1)
def _cross_encoder(model: str) -> Any:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(str(model_folder(model)), local_files_only=True)
