"""What is said to an OpenAI-compatible server, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from model_servers import DIMS, Fault, ModelServers, model_servers

from liftgate.config.embeddings import Embeddings
from liftgate.embedding import Embedder, embedder_for, openai
from liftgate.embedding.openai import batches
from liftgate.errors import ConfigurationError, LiftgateError, ModelServerRefused
from liftgate.settings import Settings


@pytest.fixture
def servers() -> Iterator[ModelServers]:
    with model_servers() as made:
        yield made


def made(servers: ModelServers, **settings: Any) -> Embedder:
    of = Settings.model_validate({"database_url": "", "files_url": "", **servers.settings})
    return embedder_for(Embeddings(model="text-embedding-3-large", **settings), of)


def test_a_request_holds_at_most_a_batch_and_each_text_once(servers: ModelServers) -> None:
    made(servers, batch_size=2).embed(["a", "b", "c"])
    assert servers.inputs == [["a", "b"], ["c"]]


def test_dims_are_asked_for_only_where_they_are_configured(servers: ModelServers) -> None:
    made(servers).embed(["a"])
    made(servers, dims=256).embed(["a"])
    assert [body.get("dimensions") for _, body, _ in servers.asked] == [None, 256]


def test_a_batch_is_cut_where_a_request_could_hold_too_many_tokens_or_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "MOST_TOKENS", 5)
    assert list(batches(["ab", "cde", "f", "é", "a long one"], 128)) == [["ab", "cde"], ["f", "é"], ["a long one"]]
    monkeypatch.setattr(openai, "MOST_TEXTS", 2)
    assert list(batches(["a", "b", "c"], 128)) == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 0.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "AACAPw=="}],
        [[1.0], [1.0]],
        None,
    ],
    ids=["too few", "one twice", "of two lengths", "another coding", "another form", "none"],
)
def test_an_answer_that_is_not_one_vector_for_each_text_is_refused(servers: ModelServers, data: Any) -> None:
    servers.faults = [Fault(200, {"data": data})]
    with pytest.raises(ModelServerRefused, match="Expected"):
        made(servers).embed(["a", "b"])


@pytest.mark.parametrize(
    "row", [[1.0], [2.0, *[0.0] * (DIMS - 1)], [float("nan")] * DIMS], ids=["too short", "too long", "not finite"]
)
def test_vectors_that_are_not_what_was_asked_for_are_refused(servers: ModelServers, row: list[float]) -> None:
    servers.faults = [Fault(200, {"data": [{"index": 0, "embedding": row}]})]
    with pytest.raises(LiftgateError, match="Expected"):
        made(servers).embed(["a"])


def test_without_an_address_dims_and_fingerprint_are_known_and_embedding_says_what_to_set(
    servers: ModelServers,
) -> None:
    embedder = embedder_for(Embeddings(model="text-embedding-3-large"))
    assert (embedder.dims, embedder.max_tokens, embedder.fingerprint) == (DIMS, 8191, made(servers).fingerprint)
    with pytest.raises(ConfigurationError, match=r"LIFTGATE_OPENAI_URL.*`openai_url` in the extras"):
        embedder.embed(["a"])


def test_whose_server_it_is_does_not_change_the_vectors_kept(servers: ModelServers) -> None:
    with model_servers() as others:
        assert made(servers).fingerprint == made(others).fingerprint
        assert np.array_equal(made(servers).embed(["a"]), made(others).embed(["a"]))
