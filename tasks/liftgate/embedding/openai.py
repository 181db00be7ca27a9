"""Embedding by an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from liftgate import fingerprints
from liftgate.config.embeddings import OPENAI_MODELS, Embeddings
from liftgate.embedding.vectors import checked
from liftgate.errors import ModelServerRefused
from liftgate.model_server import ModelServer

if TYPE_CHECKING:
    import numpy as np

EMBEDDER_VERSION = 1
"""Raised by hand when the same text gives another vector."""
MOST_TEXTS = 2048
MOST_TOKENS = 300_000
"""What OpenAI takes in one request, over all texts."""


class OpenAIEmbedder:
    """A model behind an address. Whose server it is does not count for the fingerprint: the model's name does."""

    def __init__(self, config: Embeddings, server: ModelServer):
        self.server = server
        self._config = config
        model = OPENAI_MODELS[config.model]
        self.dims = config.dims or model.dims
        self.max_tokens = model.max_tokens
        self.fingerprint = fingerprints.fingerprint(
            {"version": EMBEDDER_VERSION, "provider": "openai", "model": config.model, "dims": self.dims}
        )

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32[len(texts), dims], each row of length 1. One request for each batch."""
        import numpy as np

        parts = [self._request(batch) for batch in batches(texts, self._config.batch_size)]
        return np.concatenate(parts) if parts else np.empty((0, self.dims), dtype=np.float32)

    def _request(self, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        body: dict[str, Any] = {"model": self._config.model, "input": list(texts), "encoding_format": "float"}
        if self._config.dims:  # a model that cannot be cut refuses the very word
            body["dimensions"] = self._config.dims
        rows = self._rows(self.server.post("/embeddings", body), len(texts))
        return checked(np.asarray(rows, dtype=np.float32), count=len(texts), dims=self.dims)

    def _rows(self, answer: Any, count: int) -> list[list[float]]:
        """The vectors in the order of the texts: the server may return them in another, with their places."""
        try:
            by_place = {int(row["index"]): [float(value) for value in row["embedding"]] for row in answer["data"]}
        except (KeyError, TypeError, ValueError) as error:
            raise ModelServerRefused(
                f"Expected `data` with `index` and `embedding` from {self.server.place}, found another form. Correct "
                f"{self.server.setting}: it names an OpenAI-compatible interface, with its version."
            ) from error
        if sorted(by_place) != list(range(count)) or len({len(row) for row in by_place.values()}) > 1:
            raise ModelServerRefused(
                f"Expected {count} vectors of one length from {self.server.place}, one for each text, found "
                f"{len(by_place)}. Look after that server."
            )
        return [by_place[place] for place in range(count)]


def batches(texts: Sequence[str], most: int) -> Iterator[list[str]]:
    """Runs of at most so many texts that one request can hold.

    Bytes are counted for tokens, since no token is shorter than a byte: counting tokens takes longer than is saved.
    Example: texts of 2, 3 and 1 bytes, most=2 -> [[first, second], [third]]
    """
    batch: list[str] = []
    held = 0
    for text in texts:
        size = len(text.encode())
        if batch and (len(batch) == min(most, MOST_TEXTS) or held + size > MOST_TOKENS):
            yield batch
            batch, held = [], 0
        batch.append(text)
        held += size
    if batch:
        yield batch
