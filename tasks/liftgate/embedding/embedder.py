"""What an embedder is, which one a configuration asks for, and what is wrong with the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from liftgate.chunking.tokens import FileTokenizer, TiktokenTokenizer, Tokenizer
from liftgate.config.chunking import Chunking
from liftgate.config.embeddings import OPENAI_MODELS, Embeddings, Known
from liftgate.embedding.local import LocalEmbedder, read_known
from liftgate.embedding.openai import OpenAIEmbedder
from liftgate.errors import ConfigurationError
from liftgate.local.models import model_folder
from liftgate.model_server import ModelServer
from liftgate.settings import Settings

if TYPE_CHECKING:
    import numpy as np


class Embedder(Protocol):
    """Turns texts into vectors of length 1."""

    fingerprint: str
    """Of our version, the model's name and dims: the same fingerprint gives the same vectors."""
    dims: int
    max_tokens: int

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32[len(texts), dims], each row of length 1."""


def embedder_for(config: Embeddings, settings: Settings | None = None) -> Embedder:
    """The embedder that the configuration names. The model is loaded, or its server asked, by the first call of embed.

    The settings name the servers; without them a server's model has its dims and fingerprint, and cannot embed.
    """
    if config.provider == "openai":
        return OpenAIEmbedder(config, ModelServer("openai", settings))
    return LocalEmbedder(config)


def known(config: Embeddings) -> Known:
    """Dims (as cut by the configuration) and longest text of the model, without loading it."""
    model = OPENAI_MODELS.get(config.model) or read_known(model_folder(config.model))
    return Known(config.dims or model.dims, model.max_tokens)


def tokenizer(config: Embeddings) -> Tokenizer:
    """The tokenizer by which chunks for this embedder are counted; needs no torch."""
    if config.provider == "openai":
        return TiktokenTokenizer(config.model)
    return FileTokenizer(config.model, model_folder(config.model) / "tokenizer.json")


def problems(embeddings: Embeddings, chunking: Chunking) -> list[str]:
    """What is wrong with the two blocks together, as sentences; empty if nothing is. Loads no model."""
    found = []
    try:
        model, special = known(embeddings), tokenizer(embeddings).special_tokens
    except ConfigurationError as error:
        return [str(error)]
    if chunking.chunk_size_tokens + special > model.max_tokens:
        found.append(
            f"Expected chunking.chunk_size_tokens of at most {model.max_tokens - special}, since "
            f"{embeddings.model} reads {model.max_tokens} tokens of which {special} are its own, found "
            f"{chunking.chunk_size_tokens}. Lower chunk_size_tokens, or choose an embedder that reads more."
        )
    return found
