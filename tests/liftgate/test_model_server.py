"""Servers of models: what is tried again, what is not, and what no message may hold."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from model_servers import KEY, Fault, ModelServers, model_servers

from liftgate import model_server
from liftgate.errors import ConfigurationError, ModelServerRefused, ModelServerUnavailable
from liftgate.model_server import TRIES, ModelServer, retry_after
from liftgate.settings import Settings

BODY = {"model": "m", "input": ["a"]}
AT_ONCE = (("Retry-After", "0"),)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServers]:
    monkeypatch.setattr(model_server, "FIRST_WAIT_SECONDS", 0.001)
    with model_servers() as made:
        yield made


def ask(servers: ModelServers, **settings: Any) -> Any:
    of = Settings.model_validate({"database_url": "", "files_url": "", **servers.settings, **settings})
    return ModelServer("openai", of).post("/embeddings", BODY)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_what_another_try_can_help_is_tried_again(servers: ModelServers, status: int) -> None:
    servers.faults = [Fault(status), Fault(status)]
    assert ask(servers)["object"] == "list"
    assert len(servers.asked) == 3


def test_after_all_tries_the_server_is_said_to_be_unavailable(servers: ModelServers) -> None:
    servers.faults = [Fault(503, "overloaded")] * 20
    with pytest.raises(ModelServerUnavailable, match="503: overloaded"):
        ask(servers)
    assert len(servers.asked) == TRIES


def test_the_server_says_how_long_to_wait(
    servers: ModelServers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_server, "FIRST_WAIT_SECONDS", 3600)
    servers.faults = [Fault(429, "slowly", AT_ONCE)]
    assert ask(servers)["object"] == "list"
    assert "429: slowly" in capsys.readouterr().out


def test_a_wait_longer_than_a_task_should_spend_is_left_to_the_tasks_retry(servers: ModelServers) -> None:
    servers.faults = [Fault(429, "tomorrow", (("Retry-After", "3600"),))]
    with pytest.raises(ModelServerUnavailable, match="tomorrow"):
        ask(servers)
    assert len(servers.asked) == 1


def test_a_login_in_the_address_stands_in_no_message(servers: ModelServers) -> None:
    servers.faults = [Fault(404, "no such model")]
    address = servers.settings["openai_url"]
    with pytest.raises(ModelServerRefused, match=f"Expected {address} to take") as error:
        ask(servers, openai_url=address.replace("://", "://me:secret@"))
    assert "secret" not in str(error.value)


def test_a_wait_is_a_number_or_a_date() -> None:
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "-7"}) == 0
    in_a_minute = retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert in_a_minute == pytest.approx(60, abs=5)
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_request_that_is_refused_is_not_made_again(servers: ModelServers, status: int) -> None:
    servers.faults = [Fault(status, "no such model")]
    with pytest.raises(ModelServerRefused, match=f"{status}: no such model.*LIFTGATE_OPENAI_URL"):
        ask(servers)
    assert len(servers.asked) == 1


def test_a_spent_quota_is_no_rate_limit(servers: ModelServers) -> None:
    servers.faults = [Fault(429, {"error": {"code": "insufficient_quota"}})]
    with pytest.raises(ModelServerRefused, match="insufficient_quota"):
        ask(servers)
    assert len(servers.asked) == 1


def test_no_message_holds_the_key_even_where_the_server_repeats_it(
    servers: ModelServers, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "sk-another-secret"
    with pytest.raises(ConfigurationError, match="LIFTGATE_OPENAI_API_KEY") as refused:
        ask(servers, openai_api_key=wrong)
    assert "***" in str(refused.value)
    servers.faults = [Fault(500, f"Bearer {KEY} crashed me"), Fault(400, f"Bearer {KEY} bores me")]
    with pytest.raises(ModelServerRefused) as refusal:
        ask(servers)
    said = f"{refused.value!r} {refusal.value!r} {capsys.readouterr().out} {ModelServer('openai', None).__dict__}"
    assert wrong not in said
    assert KEY not in said


def test_a_key_at_the_end_of_a_long_reason_is_not_shown_in_part(servers: ModelServers) -> None:
    servers.faults = [Fault(400, "x" * 490 + KEY)]
    with pytest.raises(ModelServerRefused, match="x" * 490) as refused:
        ask(servers)
    assert KEY[:6] not in str(refused.value)


def test_a_key_from_a_file_may_end_with_a_line_feed_and_one_that_no_header_holds_is_not_shown(
    servers: ModelServers,
) -> None:
    assert ask(servers, openai_api_key=f"{KEY}\n")["object"] == "list"
    with pytest.raises(ConfigurationError, match="LIFTGATE_OPENAI_API_KEY") as refused:
        ask(servers, openai_api_key="sk-one\nsk-two")
    assert "sk-" not in str(refused.value)


@pytest.mark.parametrize("url", ["models.example.com/v1", "ftp://models.example.com", "http://host:port/v1"])
def test_what_is_no_address_is_a_configuration_error(servers: ModelServers, url: str) -> None:
    with pytest.raises(ConfigurationError, match="LIFTGATE_OPENAI_URL"):
        ask(servers, openai_url=url)


def test_a_server_that_is_away_or_silent_is_unavailable(servers: ModelServers) -> None:
    with pytest.raises(ModelServerUnavailable, match="ConnectError"):
        ask(servers, openai_url="http://127.0.0.1:9/v1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with pytest.raises(ModelServerUnavailable, match="ReadTimeout"):
            ask(servers, openai_url=url, model_server_timeout_seconds=0.05)


def test_a_page_in_place_of_json_says_that_the_address_is_wrong(servers: ModelServers) -> None:
    servers.faults = [Fault(200, "<html>", (("Content-Type", "text/html"),))]
    with pytest.raises(ModelServerRefused, match=r"text/html.*LIFTGATE_OPENAI_URL"):
        ask(servers)
