"""Embedding on this machine by sentence-transformers, from a folder, without the net."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liftgate import fingerprints
from liftgate.config.embeddings import Embeddings, Known
from liftgate.embedding.vectors import checked, cut
from liftgate.errors import ConfigurationError
from liftgate.local.models import model_folder

if TYPE_CHECKING:
    import numpy as np

EMBEDDER_VERSION = 1
"""Raised by hand when the same text gives another vector. An upgrade of a library does not count."""


class LocalEmbedder:
    """A sentence-transformers model of the local profile. It is loaded by the first call of embed."""

    def __init__(self, config: Embeddings):
        self._folder = model_folder(config.model)
        self._config = config
        self._model: Any = None
        model = read_known(self._folder)
        if config.dims and config.dims > model.dims:
            raise ConfigurationError(
                f"Expected embeddings.dims of at most {model.dims} for {config.model}, found {config.dims}. "
                "Lower it, or leave it out."
            )
        self.dims = config.dims or model.dims
        self.max_tokens = model.max_tokens
        self.fingerprint = fingerprints.fingerprint(
            {"version": EMBEDDER_VERSION, "model": config.model, "dims": self.dims}
        )

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32[len(texts), dims], each row of length 1.

        Loading takes 5 to 20 s and 0.9 GB, once for each process.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dims), dtype=np.float32)
        vectors = self._loaded().encode(
            list(texts),
            batch_size=self._config.batch_size,
            show_progress_bar=False,
            normalize_embeddings=True,
            convert_to_numpy=True,
        )
        return checked(cut(vectors, self.dims), count=len(texts), dims=self.dims)

    def _loaded(self) -> Any:
        if self._model is None:
            # The libraries read these when they are imported.
            os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
            from sentence_transformers import SentenceTransformer

            self._model = SentenceTransformer(str(self._folder), device=self._device(), local_files_only=True)
            self._model.max_seq_length = self.max_tokens
        return self._model

    @staticmethod
    def _device() -> str:
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


def read_known(folder: Path) -> Known:
    """Dims and longest text of a sentence-transformers model, from the files of its folder."""
    try:
        settings = json.loads((folder / "sentence_bert_config.json").read_text())
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        return Known(dims=int(pooling["word_embedding_dimension"]), max_tokens=int(settings["max_seq_length"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"Expected {folder} to hold a sentence-transformers model with max_seq_length and "
            f"word_embedding_dimension, found {type(error).__name__}: {error}. "
            "Save the model by SentenceTransformer.save() and set embeddings.model to that folder."
        ) from error
