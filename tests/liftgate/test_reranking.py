"""Reranking at an address: in the form that it speaks, and never silently unranked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from model_servers import Fault, ModelServers, model_servers

from liftgate.errors import ConfigurationError, ModelServerRefused
from liftgate.index.rows import Hit
from liftgate.reranking import rerank, scorer_for
from liftgate.settings import Settings

TEXTS = ["the lamp", "the blue lamp on the third floor", "a blue door"]
QUESTION = "blue lamp"


@pytest.fixture
def servers() -> Iterator[ModelServers]:
    with model_servers() as made:
        yield made


def hits() -> list[Hit]:
    return [Hit(uuid4(), "documents", f"{n}.md", f"{n}.md", "", text, 3, 0.5) for n, text in enumerate(TEXTS)]


def ranked(servers: ModelServers, model: str | None = None, **settings: Any) -> list[Hit]:
    of = Settings.model_validate({"database_url": "", "files_url": "", **servers.settings, **settings})
    return rerank(scorer_for(of, model), QUESTION, hits())


@pytest.mark.parametrize("api", ["cohere", "tei"])
def test_hits_come_in_the_order_of_the_server_with_its_scores(servers: ModelServers, api: str) -> None:
    found = ranked(servers, rerank_api=api)
    assert [(hit.text, hit.score) for hit in found] == [(TEXTS[1], 1.0), (TEXTS[0], 0.5), (TEXTS[2], 0.5)]


def test_the_model_is_named_to_the_server_where_the_configuration_names_one(servers: ModelServers) -> None:
    ranked(servers)
    ranked(servers, model="rerank-v3.5")
    assert [body.get("model") for _, body, _ in servers.asked] == [None, "rerank-v3.5"]


def test_nothing_found_asks_nobody(servers: ModelServers) -> None:
    of = Settings.model_validate({"database_url": "", "files_url": "", **servers.settings})
    assert rerank(scorer_for(of, None), QUESTION, []) == []
    assert servers.asked == []


@pytest.mark.parametrize(
    "results",
    [
        [{"index": 0, "relevance_score": 1}],
        [{"index": n, "relevance_score": 1} for n in (0, 1, 3)],
        [{"index": n, "relevance_score": float("nan")} for n in (0, 1, 2)],
        [{"index": n, "score": 1} for n in (0, 1, 2)],
        None,
    ],
    ids=["too few", "another place", "not finite", "the other form", "none"],
)
def test_hits_that_were_not_all_scored_are_an_error_with_its_remedy(servers: ModelServers, results: Any) -> None:
    servers.faults = [Fault(200, {"results": results})]
    with pytest.raises(ModelServerRefused, match=r"a score for each chunk.*rerank to false"):
        ranked(servers)


def test_a_server_of_the_other_form_says_which_setting_to_change(servers: ModelServers) -> None:
    servers.faults = [Fault(422, "missing field `texts`")]
    with pytest.raises(ModelServerRefused, match="texts"):
        ranked(servers)


def test_neither_address_nor_model_is_a_configuration_error(servers: ModelServers) -> None:
    with pytest.raises(ConfigurationError, match=r"LIFTGATE_RERANK_URL or retrieval_defaults.rerank_model"):
        ranked(servers, rerank_url=None)
