"""Connections of sources, as the command line finds them: in the variables that Airflow reads."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError
from source_servers import web_server

from liftgate.errors import ConfigurationError
from liftgate.sources.connections import Connection, connection_from_environment
from liftgate.sources.kinds.http import Http


@pytest.mark.parametrize(
    "value",
    [
        "sftp://reader:p%40ss@files.example.com:2222/in?key_file=/k",
        '{"conn_type": "sftp", "host": "files.example.com", "port": "2222", "login": "reader", "password": "p@ss", '
        '"schema": "in", "extra": "{\\"key_file\\": \\"/k\\"}"}',
    ],
)
def test_a_connection_is_read_from_the_variable_of_airflow(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", value)
    found = connection_from_environment("docs")
    assert found == Connection("files.example.com", 2222, "reader", "p@ss", "in", {"key_file": "/k"}, "sftp")
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize("value", ["", '{"host": ', '{"port": "many"}'])
def test_a_missing_or_broken_connection_is_named_with_its_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", value)
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_DOCS"):
        connection_from_environment("docs")


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://reader:p%40ss@docs.example.com", "https://docs.example.com"),
        ("https://reader:p%40ss@docs.example.com:8443/wiki/", "https://docs.example.com:8443/wiki"),
        ("http://docs.example.com/https", "https://docs.example.com"),
        ("http://https://docs.example.com/wiki", "https://docs.example.com/wiki"),
        ("http://docs.example.com", "http://docs.example.com"),
        ("confluence://reader:p@acme.example.com/wiki", "https://acme.example.com/wiki"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ('{"host": "https://docs.example.com/"}', "https://docs.example.com"),
        ('{"host": "https://docs.example.com/wiki", "port": 8443}', "https://docs.example.com:8443/wiki"),
        ('{"host": "https://reader:p@docs.example.com:8443", "port": 8443}', "https://docs.example.com:8443"),
        ('{"conn_type": "http", "host": "docs.example.com", "schema": "https"}', "https://docs.example.com"),
        ('{"conn_type": "http", "host": "docs.example.com"}', "http://docs.example.com"),
        ('{"conn_type": "generic", "host": "docs.example.com/wiki"}', "https://docs.example.com/wiki"),
    ],
)
def test_url_is_an_address_however_the_connection_is_written(
    value: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", value)
    assert connection_from_environment("docs").url == url


def test_a_connection_without_a_host_has_no_url() -> None:
    with pytest.raises(ConfigurationError, match="with a host, found none"):
        _ = Connection(login="reader").url


@pytest.mark.parametrize("form", ["uri", "json"])
def test_pages_below_the_address_of_a_connection_are_listed_and_read(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server() as web:
        web.pages |= {"/wiki/a.md": b"one", "/wiki/b.md": b"two"}
        port = urlsplit(web.url).port
        forms = {
            "uri": f"http://reader:p@127.0.0.1:{port}/wiki",
            "json": f'{{"conn_type": "http", "host": "127.0.0.1", "port": {port}, "schema": "wiki"}}',
        }
        monkeypatch.setenv("AIRFLOW_CONN_DOCS", forms[form])
        source = Http(addresses=("/a.md", "/b.md"), conn_id="docs").open(connection_from_environment)
        found = {listed.uri: listed.version_hint for listed in source.list()}
        assert set(found) == {f"{web.url}/wiki/a.md", f"{web.url}/wiki/b.md"}
        assert [source.read(uri, hint) for uri, hint in sorted(found.items())] == [b"one", b"two"]
    with pytest.raises(ValidationError, match="begins with a slash needs `conn_id`"):
        Http(sitemap="/sitemap.xml")
