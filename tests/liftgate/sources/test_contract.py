"""Every built-in kind holds the contract of sources, against a real server of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from object_store import BUCKET, s3_server
from source_servers import GitRepository, git_server, sftp_server, web_server

from liftgate.errors import KindFaulty
from liftgate.sources import SourceBlock, require_same
from liftgate.sources.connections import Connection
from liftgate.sources.kinds.folder import Folder
from liftgate.sources.kinds.fsspec import FsSpec
from liftgate.sources.kinds.git import Git
from liftgate.sources.kinds.http import Http
from liftgate.sources.kinds.s3 import S3
from liftgate.sources.kinds.sftp import Sftp
from liftgate.sources.kinds.sql import Sql
from liftgate.testing import source_contract

NAMES = ("leave.md", "hr/Ärger & Lob #1.md", "人事/年次休暇?.md", "عطلة.md")


def write_below(folder: Path) -> Callable[[str, bytes | None], None]:
    def write(uri: str, content: bytes | None) -> None:
        path = folder / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if content is None else path.write_bytes(content)

    for name in NAMES:
        write(name, name.encode())
    return write


def uris(source: Any, connections: Any = None) -> set[str]:
    return {listed.uri for listed in source.open(connections).list()}


def test_folder_holds_the_contract(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    source = Folder(path=str(folder))
    source_contract(source, write=write_below(folder))
    assert uris(source) == set(NAMES)


def test_sftp_holds_the_contract(tmp_path: Path, connections: Any) -> None:
    folder = tmp_path / "served"
    write = write_below(folder / "in")
    with sftp_server(folder) as connection:
        source = Sftp(conn_id="docs", path="/in")
        source_contract(source, connections(connection), write=write)
        assert uris(source, connections(connection)) == set(NAMES)


@pytest.mark.parametrize("with_connection", [True, False])
def test_s3_holds_the_contract(with_connection: bool, connections: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(monkeypatch) as (files, variables):

        def write(uri: str, content: bytes | None) -> None:
            path = f"{BUCKET}/docs/{uri}"
            files.rm(path) if content is None else files.pipe(path, content)

        for name in NAMES:
            write(name, name.encode())
        files.pipe(f"{BUCKET}/docs-of-others/a.md", b"not below the prefix")
        login = connections(
            Connection(login="k", password="s", extra={"endpoint_url": variables["AWS_ENDPOINT_URL"]})
        )  # fmt: skip
        if with_connection:
            for name in variables:
                monkeypatch.delenv(name)
        source = S3(bucket=BUCKET, prefix="docs", conn_id="docs" if with_connection else None)
        source_contract(source, login, write=write)
        assert uris(source, login) == set(NAMES)


@pytest.mark.parametrize("by", ["sitemap", "addresses"])
def test_http_holds_the_contract(by: str) -> None:
    with web_server() as web:

        def write(uri: str, content: bytes | None) -> None:
            web.pages.pop("/" + uri) if content is None else web.pages.update({f"/{uri}": content})

        write("leave.md", b"sixteen")
        write("pay.md", b"monthly")
        addresses = [f"{web.url}/{name}" for name in ("leave.md", "pay.md", "contract-test.md")]
        source = Http(sitemap=f"{web.url}/sitemap.xml") if by == "sitemap" else Http(addresses=addresses)
        source_contract(source, write=write)


def test_http_without_versions_of_its_own_holds_the_contract() -> None:
    """A server that tells nothing is read at each listing: there is no other way to know."""
    with web_server() as web:
        web.etags = False
        web.pages |= {"/leave.md": b"sixteen"}
        source_contract(Http(addresses=[f"{web.url}/leave.md"]))


def test_git_holds_the_contract(tmp_path: Path, connections: Any) -> None:
    repository = GitRepository(tmp_path)
    for name in NAMES:
        repository.write(f"docs/{name}", name.encode())
    with git_server(tmp_path / "served") as address:
        source = Git(url=f"{address}/handbook.git", ref="main", path="docs")
        source_contract(source, write=lambda uri, content: repository.write(f"docs/{uri}", content))
        found = {listed.uri: listed for listed in source.open(connections).list()}
    assert set(found) == set(NAMES)
    assert [found[name].updated_at.day for name in NAMES] == [1, 2, 3, 4]


def test_sql_holds_the_contract(database_url: str, connections: Any) -> None:
    login = psycopg.conninfo.conninfo_to_dict(database_url)
    connection = Connection(login=login["user"], schema=login["dbname"], extra={"host": login["host"]})
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("CREATE TABLE pages (id text PRIMARY KEY, body text, at timestamptz, teams text[], kind text)")

        def write(uri: str, content: bytes | None) -> None:
            database.execute("DELETE FROM pages WHERE id = %s", [uri])
            if content is not None:
                text = content.decode()
                database.execute("INSERT INTO pages VALUES (%s, %s, now(), '{hr,board}', 'page')", [uri, text])

        for name in NAMES:
            write(name, name.encode())
        database.execute("INSERT INTO pages VALUES ('note.md', 'x', now(), '{}', 'note')")
        columns = "id, body, md5(body) AS version, at AS updated_at, teams AS groups"
        source = Sql(
            conn_id="docs", query=f"SELECT {columns} FROM pages WHERE kind = %(kind)s;", parameters={"kind": "page"}
        )
        source_contract(source, connections(connection), write=write)
        found = {listed.uri: listed.groups for listed in source.open(connections(connection)).list()}
    assert found == dict.fromkeys(NAMES, ("board", "hr"))


def test_any_file_system_of_fsspec_holds_the_contract() -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    files.store.clear()

    def write(uri: str, content: bytes | None) -> None:
        files.rm(f"/docs/{uri}") if content is None else files.pipe(f"/docs/{uri}", content)

    for name in NAMES:
        write(name, name.encode())
    source = FsSpec(protocol="memory", root="/docs")
    source_contract(source, write=write)
    assert uris(source) == set(NAMES)


class _Careless:
    """A reader that gives whatever there is now."""

    def __init__(self, pages: dict[str, bytes]):
        self._pages = pages

    def list(self) -> Any:
        from datetime import UTC, datetime

        from liftgate.sources import Listed

        for uri, body in self._pages.items():
            yield Listed(uri, str(len(body)), len(body), datetime.now(UTC).replace(microsecond=0, second=0, minute=0))

    def read(self, uri: str, version_hint: str) -> bytes:
        return self._pages[uri]


def test_a_kind_that_reads_another_version_than_listed_breaks_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"a.md": b"one"}
    monkeypatch.setattr(Folder, "open", lambda self, connections: _Careless(pages))
    with pytest.raises(AssertionError, match="never there"):
        source_contract(Folder(path="."), write=lambda uri, content: None)


class Pages(SourceBlock):
    """A kind as a team writes it, made without the `type` that a file would give it."""

    names: tuple[str, ...] = ()

    def open(self, connections: Any) -> Any:
        return _Careless(dict.fromkeys(self.names, b"one"))


def test_an_empty_source_is_named_by_its_class() -> None:
    with pytest.raises(AssertionError, match=r"documents in the source documents \(Pages\) to try it with, found none"):
        source_contract(Pages())


def test_code_that_fails_over_a_document_that_is_gone_breaks_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(reader: Any, uri: str, version_hint: str) -> bytes:
        require_same(uri, version_hint, "3")
        return bytes(reader._pages[uri])

    monkeypatch.setattr(_Careless, "read", read)
    source_contract(Pages(names=("a.md",)))
    monkeypatch.setattr(_Careless, "read", lambda self, uri, hint: {("a.md", "3"): b"one"}[uri, hint])
    with pytest.raises(
        KindFaulty, match=r"Expected read of source documents \(test_contract\) to return bytes of a.md"
    ):
        source_contract(Pages(names=("a.md",)))
