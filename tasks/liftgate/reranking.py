"""Order hits again by a cross-encoder, which reads question and chunk together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from liftgate.errors import ConfigurationError
from liftgate.index.rows import Hit
from liftgate.local.models import model_folder


def rerank(model: str | None, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits, best first by the cross-encoder, with its scores. Raises ConfigurationError without a model."""
    if model is None:
        raise ConfigurationError(
            "Expected retrieval_defaults.rerank_model, since retrieval_defaults.rerank is on, found none. "
            "Name a cross-encoder's folder, or set rerank to false."
        )
    scores = _cross_encoder(model).predict([(question, hit.text) for hit in hits]) if hits else []
    scored = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
    return sorted(scored, key=lambda hit: -hit.score)


@lru_cache(maxsize=1)
def _cross_encoder(model: str) -> Any:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(str(model_folder(model)), local_files_only=True)
