"""Airflow's connections as settings of the library."""

from __future__ import annotations

import asyncio
import json

import pytest

from liftgate.errors import ConfigurationError
from liftgate.settings import Settings
from liftgate.sources.connections import connection_from_environment
from liftgate_airflow.connection import (
    async_runtime_from_connection,
    database_in_api_server,
    runtime_from_connection,
    source_connection,
)

DATABASE = {"conn_type": "postgres", "host": "db", "schema": "liftgate", "login": "ada", "password": "p@ss/word"}


def settings(monkeypatch: pytest.MonkeyPatch, weaviate: dict[str, object], **extras: object) -> Settings:
    own = {"files_url": "/files", "weaviate_conn_id": "team_weaviate", "sslmode": "require", **extras}
    monkeypatch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps({**DATABASE, "extra": own}))
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_WEAVIATE", json.dumps({"conn_type": "weaviate", **weaviate}))
    return runtime_from_connection().settings


def test_extras_that_are_no_settings_belong_to_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch, {"host": "w"})
    assert found.database_url == "postgresql://ada:p%40ss%2Fword@db/liftgate?sslmode=require"
    assert found.files_url == "/files"


def test_weaviate_connection_of_the_team_is_read_as_its_provider_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "http_secure": True,
        "token": "k",
        "grpc_host": "g",
        "grpc_port": "50051",
        "additional_headers": {"X": "1"},
    }
    found = settings(monkeypatch, {"host": "w", "extra": extra | {"additional_headers": {"X": "1"}}})
    assert (found.weaviate_url, found.weaviate_grpc_url) == ("https://w:443", "grpc://g:50051")
    assert found.weaviate_api_key
    assert found.weaviate_api_key.get_secret_value() == "k"
    assert found.weaviate_headers == {"X": "1"}
    assert "'k'" not in repr(found)


def test_ports_follow_from_what_is_secure(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch, {"host": "w", "extra": {"grpc_secure": True}})
    assert (found.weaviate_url, found.weaviate_grpc_url) == ("http://w:80", "grpcs://w:443")


def test_another_kind_of_login_than_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="API key in the Airflow connection team_weaviate"):
        settings(monkeypatch, {"host": "w", "login": "ada", "password": "secret"})


def test_model_servers_are_connections_whose_host_is_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    openai = {"conn_type": "openai", "host": "https://models.example.com/v1", "password": "sk-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_OPENAI", json.dumps(openai))
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_RERANK", json.dumps({"conn_type": "http", "host": "http://rank/rerank"}))
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_VLLM", "http://:k@vllm:8000/v1")
    named = {"openai_conn_id": "team_openai", "rerank_conn_id": "team_rerank", "generator_conn_id": "team_vllm"}
    found = settings(monkeypatch, {"host": "w"}, **named, generator_base="assistant")
    assert (found.generator_url, found.generator_base) == ("http://vllm:8000/v1", "assistant")
    assert found.generator_api_key
    assert (found.openai_url, found.rerank_url) == ("https://models.example.com/v1", "http://rank/rerank")
    assert found.openai_api_key
    assert found.openai_api_key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(found)
    assert found.rerank_api_key is None
    assert "conn_id" not in found.database_url


def test_a_trigger_and_the_api_server_need_the_address_of_the_database_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"files_url": "/files", "openai_conn_id": "nowhere", "sslmode": "require"}
    monkeypatch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps({**DATABASE, "extra": extras}))
    expected = "postgresql://ada:p%40ss%2Fword@db/liftgate?sslmode=require"
    assert database_in_api_server().url == expected
    assert asyncio.run(async_runtime_from_connection()).settings.database_url == expected


@pytest.mark.parametrize("value", ["https://reader:p@docs.example.com/wiki", {"conn_type": "https", "schema": "wiki"}])
def test_a_source_finds_its_address_in_a_connection_of_airflow(
    value: str | dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = value if isinstance(value, str) else json.dumps({"host": "docs.example.com", **value})
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", given)
    assert source_connection("docs").url == connection_from_environment("docs").url == "https://docs.example.com/wiki"
