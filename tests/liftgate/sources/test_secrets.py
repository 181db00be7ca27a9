"""Logins reach the server that they are for, and nobody else: no shell, no other host, no message."""

from __future__ import annotations

import base64
import traceback
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from source_servers import send, web_server

from liftgate.config.access import Access
from liftgate.config.reading import read_knowledge_base
from liftgate.errors import ConfigurationError, SourceError
from liftgate.sources.connections import Connection
from liftgate.sources.kinds.git import Git
from liftgate.sources.source import Source


def git(url: str, connection: Connection) -> Source:
    return Source(Git(url=url, conn_id="docs"), Access(default_groups=()), {"docs": connection}.__getitem__)


def test_the_name_of_a_key_file_is_no_command(tmp_path: Path) -> None:
    run = tmp_path / "was-run"
    source = git("ssh://git@127.0.0.1:1/handbook.git", Connection(extra={"key_file": f"k'; touch {run}; '"}))
    with pytest.raises(SourceError, match="Expected git to read"):
        list(source.list())
    assert not run.exists()


def test_a_token_of_git_is_sent_to_its_host_and_to_none_that_a_redirect_names() -> None:
    got: list[str | None] = []

    def leads_away(handler: BaseHTTPRequestHandler) -> None:
        got.append(handler.headers["authorization"])
        send(handler, 302, location=f"{other.url}{handler.path}")

    with web_server() as web, web_server() as other:
        web.fallback = leads_away
        with pytest.raises(SourceError, match="Expected git to read"):
            list(git(f"{web.url}/handbook.git", Connection(login="reader", password="token")).list())
        assert other.asked == []
    assert got == ["Basic " + base64.b64encode(b"reader:token").decode()]


@pytest.mark.parametrize(
    "source",
    [
        {"type": "git", "url": "https://reader:s3cret@example.com/handbook.git"},
        {"type": "git", "url": "https://s3cret@example.com/handbook.git"},
        {"type": "git", "url": "ssh://git:s3cret@example.com/handbook.git"},
        {"type": "http", "sitemap": "https://reader:s3cret@example.com/sitemap.xml"},
        {"type": "http", "addresses": ["https://reader:s3cret@example.com/a.md"]},
    ],
)
def test_a_login_in_an_address_is_refused_and_not_repeated(kb: Any, source: dict[str, Any]) -> None:
    kb.ingest(source=source)
    with pytest.raises(ConfigurationError, match="an address holds no login") as error:
        read_knowledge_base(kb.file)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("url", ["git@example.com:handbook.git", "ssh://git@example.com/handbook.git", "/srv/handbook"])
def test_an_address_may_name_whose_keys_are_looked_at(url: str) -> None:
    assert Git(url=url).url == url
