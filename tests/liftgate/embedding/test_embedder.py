import json

import numpy as np
import pytest
from pydantic import ValidationError

from liftgate.config.chunking import Chunking
from liftgate.config.embeddings import Embeddings
from liftgate.embedding import embedder_for, problems, tokenizer
from liftgate.embedding.vectors import checked, cut
from liftgate.errors import ConfigurationError, LiftgateError

OPENAI = Embeddings(model="text-embedding-3-large", batch_size=128)


def test_dims_and_longest_text_are_known_without_loading_the_model():
    embedder = embedder_for(Embeddings())
    assert (embedder.dims, embedder.max_tokens) == (384, 256)


def test_fingerprints_tell_embedders_apart():
    prints = [embedder_for(Embeddings(dims=dims)).fingerprint for dims in (None, 384, 256)]
    assert prints[0] == prints[1] != prints[2]


def test_counting_goes_on_past_the_cap_in_the_tokenizers_file():
    assert tokenizer(Embeddings()).count("leave " * 300) == 300


def test_chunk_size_with_special_tokens_must_fit_the_embedder():
    assert problems(Embeddings(), Chunking(chunk_size_tokens=254)) == []
    (problem,) = problems(Embeddings(), Chunking(chunk_size_tokens=255))
    assert "at most 254" in problem
    assert "found 255" in problem


def test_seed_blocks_are_valid_with_openai_names():
    chunking = Chunking(chunk_size_tokens=450, chunk_overlap_tokens=75, min_chunk_tokens=120)
    assert OPENAI.provider == "openai"
    assert problems(OPENAI, chunking) == []


def test_more_dims_than_the_model_has_are_refused():
    with pytest.raises(ValidationError, match="at most 3072"):
        Embeddings(model="text-embedding-3-large", dims=4000)
    with pytest.raises(ConfigurationError, match="at most 384"):
        embedder_for(Embeddings(dims=385))


def test_folder_that_is_no_model_is_a_problem_and_no_traceback(tmp_path):
    (problem,) = problems(Embeddings(model=str(tmp_path)), Chunking())
    assert "Expected" in problem
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": None}))
    assert problems(Embeddings(model=str(tmp_path)), Chunking())
    (problem,) = problems(Embeddings(model="nobody/knows-this"), Chunking())
    assert "nobody/knows-this" in problem


@pytest.mark.parametrize(
    "vectors",
    [np.ones((2, 3)), np.eye(3)[:1], np.eye(4)[:2], np.array([[np.nan, 0, 0], [0, 1, 0]])],
    ids=["too long", "too few", "too wide", "not finite"],
)
def test_vectors_that_are_not_what_was_asked_for_are_refused(vectors):
    with pytest.raises(LiftgateError, match="Expected"):
        checked(vectors, count=2, dims=3)


def test_cut_vectors_are_normalised_again():
    assert cut(np.array([[0.6, 0.0, 0.8]]), 2).tolist() == [[1.0, 0.0]]


@pytest.mark.slow
def test_minilm_is_cut_to_the_first_dimensions():
    texts = ["Parental leave is sixteen weeks."]
    vectors = embedder_for(Embeddings()).embed(texts)[:, :256]
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose(embedder_for(Embeddings(dims=256)).embed(texts), expected, atol=1e-5)


@pytest.mark.slow
def test_last_token_that_fits_still_counts():
    embedder = embedder_for(Embeddings())
    filler = "leave " * 253
    one, other, beyond = embedder.embed([filler + "printer", filler + "salary", filler + "leave printer"])
    assert not np.allclose(one, other, atol=1e-4)
    assert np.allclose(beyond, embedder.embed([filler + "leave salary"])[0], atol=1e-4)
