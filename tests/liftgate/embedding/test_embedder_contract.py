"""What every embedder must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from model_servers import model_servers

from liftgate.config.embeddings import Embeddings
from liftgate.embedding import Embedder, embedder_for
from liftgate.settings import Settings

TEXTS = ["How long is parental leave?", "Parental leave is sixteen weeks.", "The printer is out of paper."]
Made = Callable[..., Embedder]


@pytest.fixture(params=[pytest.param("local", marks=pytest.mark.slow), "openai"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Makes the embedder of a kind, with other settings than its own where the test says so."""
    if request.param == "local":
        yield lambda **settings: embedder_for(Embeddings(**settings))
        return
    with model_servers() as servers:
        of = Settings.model_validate({"database_url": "", "files_url": "", **servers.settings})
        yield lambda **settings: embedder_for(Embeddings(model="text-embedding-3-large", **settings), of)


def test_vectors_have_length_1_and_the_dims_that_were_known_before(made: Made) -> None:
    embedder = made()
    dims = embedder.dims
    vectors = embedder.embed(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((3, dims), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_close_texts_get_close_vectors(made: Made) -> None:
    question, answer, other = made().embed(TEXTS)
    assert question @ answer > question @ other + 0.2


def test_vectors_come_in_the_order_of_the_texts_whatever_the_batches(made: Made) -> None:
    whole, single = made().embed(TEXTS), made(batch_size=1).embed(TEXTS[::-1])
    assert np.allclose(whole, single[::-1], atol=1e-5)


def test_no_texts_give_no_rows(made: Made) -> None:
    embedder = made()
    assert embedder.embed([]).shape == (0, embedder.dims)


def test_dims_can_be_fewer_and_make_another_embedder(made: Made) -> None:
    whole, short = made(), made(dims=256)
    assert short.embed(TEXTS).shape == (3, 256)
    assert whole.fingerprint == made(batch_size=7).fingerprint != short.fingerprint
