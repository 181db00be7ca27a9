"""What single kinds do beyond the contract: logins, refusals, and settings that cannot be tried on a server here."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import ConfigDict, ValidationError
from source_servers import GitRepository, send, sftp_server, web_server

from liftgate.config.access import Access
from liftgate.errors import ConfigurationError, DocumentChanged, DocumentUnreadable, KindFaulty, SourceError
from liftgate.sources import Listed, SourceBlock
from liftgate.sources.connections import Connection
from liftgate.sources.kinds.azure import Azure
from liftgate.sources.kinds.fsspec import FsSpec
from liftgate.sources.kinds.gcs import Gcs
from liftgate.sources.kinds.git import Git
from liftgate.sources.kinds.s3 import S3
from liftgate.sources.kinds.sftp import Sftp
from liftgate.sources.kinds.sql import Sql
from liftgate.sources.source import Source

ACCESS = Access(default_groups=())
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJL1cVJ1HS0S0lFpN3MfJ7kmHIJ1yQdsEJMeLD0QEYEI"


class Odd(SourceBlock):
    """Lists one entry, as it is told to."""

    def open(self, connections: Any) -> Any:
        return self

    def list(self) -> Any:
        yield Listed(**self.model_extra["entry"])

    model_config = ConfigDict(extra="allow")


@pytest.mark.parametrize(
    "wrong",
    [
        {"uri": ""},
        {"uri": "a\0.md"},
        {"uri": "\ud800.md"},
        {"version_hint": None},
        {"updated_at": datetime(2026, 1, 1)},
        {"updated_at": "2026-01-01"},
        {"size_bytes": None},
        {"groups": "staff"},
    ],
)
def test_an_entry_that_cannot_be_stored_is_told_with_its_source(wrong: dict[str, Any]) -> None:
    entry = {"uri": "a.md", "version_hint": "1", "size_bytes": 0, "updated_at": datetime(2026, 1, 1, tzinfo=UTC)}
    assert len(list(Source(Odd(name="wiki", entry=entry), ACCESS, {}.__getitem__).list())) == 1
    with pytest.raises(KindFaulty, match=rf"Expected list of source wiki \(test_kinds\) .* found {next(iter(wrong))}="):
        list(Source(Odd(name="wiki", entry=entry | wrong), ACCESS, {}.__getitem__).list())


class Store(MemoryFileSystem):
    """A file system that only remembers with which options it was made: no server of these kinds runs here."""

    cachable = False
    given: dict[str, Any] = {}

    def __init__(self, **options: Any):
        super().__init__()
        type(self).given = options

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        return [{**info, "metadata": {"acl": "hr"}, "etag": "1"} for info in super().ls(path, detail=True)]


@pytest.mark.parametrize(
    ("block", "connection", "protocol", "options"),
    [
        (Gcs(bucket="kb", prefix="docs"), None, "gs", {}),
        (
            Gcs(bucket="kb", prefix="docs/", conn_id="docs"),
            Connection(extra={"keyfile_dict": '{"type": "service_account"}', "project": "p"}),
            "gs",
            {"token": {"type": "service_account"}, "project": "p"},
        ),
        (Gcs(bucket="kb", prefix="docs", conn_id="docs"), Connection(extra={"key_path": "/k"}), "gs", {"token": "/k"}),
        (
            Azure(container="kb", prefix="docs", conn_id="docs"),
            Connection(login="account", password="key"),
            "abfs",
            {"account_name": "account", "account_key": "key"},
        ),
        (
            Azure(container="kb", prefix="docs", conn_id="docs"),
            Connection(extra={"connection_string": "c"}),
            "abfs",
            {"connection_string": "c"},
        ),
        (
            Azure(container="kb", prefix="docs", conn_id="docs"),
            Connection("https://acme.blob.core.windows.net", login="id", password="s", extra={"tenant_id": "t"}),
            "abfs",
            {"account_name": "acme", "tenant_id": "t", "client_id": "id", "client_secret": "s"},
        ),
    ],
)
def test_settings_of_google_and_azure_are_those_of_their_file_systems(
    block: Any, connection: Connection, protocol: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, protocol, Store)
    Store.store.clear()
    Store().pipe("/kb/docs/a.md", b"a")
    block = block.model_copy(update={"groups_metadata": "acl"})
    (listed,) = block.open({"docs": connection}.__getitem__).list()
    assert (listed.uri, listed.version_hint, listed.groups) == ("a.md", "1", ("hr",))
    assert {name: Store.given[name] for name in options} == options
    assert set(Store.given) - set(options) == {"use_listings_cache"}


def test_a_file_that_changed_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be of any size by now."""
    files = MemoryFileSystem()
    files.pipe("/changed/a.md", b"one")
    source = Source(FsSpec(protocol="memory", root="/changed"), ACCESS, {}.__getitem__)
    (listed,) = source.list()
    files.pipe("/changed/a.md", b"three")
    opened: list[str] = []
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda self, path: opened.append(path))
    with pytest.raises(DocumentChanged):
        source.read("a.md", listed.version_hint)
    assert opened == []


def test_a_store_without_times_needs_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """As GitHub has them: a change that keeps the size is seen by its hash alone."""

    class Timeless(MemoryFileSystem):
        cachable = False
        tag = "sha"

        def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
            found = super().ls(path, detail=True)
            return [{**info, "created": None, self.tag: self.cat_file(info["name"]).decode()} for info in found]

    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, "timeless", Timeless)
    Timeless.store.clear()
    hints = []
    for content in (b"one", b"two"):
        Timeless().pipe("/docs/a.md", content)
        hints += [
            one.version_hint for one in Source(FsSpec(protocol="timeless", root="/docs"), ACCESS, {}.__getitem__).list()
        ]
    assert hints == ["one", "two"]
    Timeless.tag = "colour"
    with pytest.raises(SourceError, match=r"Expected a tag or a time of /docs/a\.md"):
        list(Source(FsSpec(protocol="timeless", root="/docs"), ACCESS, {}.__getitem__).list())


@pytest.mark.parametrize(
    ("block", "extra"), [(Gcs(bucket="b"), "gcs"), (Azure(container="c", conn_id="docs"), "azure")]
)  # fmt: skip
def test_a_package_that_is_missing_is_named_with_its_extra(
    block: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=rf"pip install 'liftgate\[{extra}\]'"):
        list(Source(block, ACCESS, {"docs": Connection()}.__getitem__).list())


def test_sftp_trusts_no_other_host_than_the_one_that_it_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with sftp_server(tmp_path) as right:
        for extra in ({}, {"host_key": KEY}):
            source = Source(Sftp(conn_id="docs"), ACCESS, {"docs": replace(right, extra=extra)}.__getitem__)
            with pytest.raises(ConfigurationError, match="host key of 127.0.0.1 to be known"):
                list(source.list())
        for key in ("x", "ssh-ed25519 x", "ssh-what AAAA", "ssh-rsa"):
            broken = Source(Sftp(conn_id="docs"), ACCESS, {"docs": replace(right, extra={"host_key": key})}.__getitem__)
            with pytest.raises(ConfigurationError, match="ssh-keyscan"):
                list(broken.list())
        wrong = Source(Sftp(conn_id="docs"), ACCESS, {"docs": replace(right, password="no")}.__getitem__)
        with pytest.raises(SourceError, match="Authentication"):
            list(wrong.list())


def test_sftp_lists_links_and_reads_none(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "link.md").symlink_to("/etc/passwd")
    with sftp_server(folder) as connection:
        source = Source(Sftp(conn_id="docs", path="/"), ACCESS, {"docs": connection}.__getitem__)
        (listed,) = source.list()
        with pytest.raises(DocumentUnreadable, match="found a link"):
            source.read(listed.uri, listed.version_hint)


def test_a_connection_that_died_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("a")
    with sftp_server(tmp_path) as connection:
        source = Source(Sftp(conn_id="docs", path="/"), ACCESS, {"docs": connection}.__getitem__)
        (listed,) = source.list()
        source._kind()._client.close()  # type: ignore[attr-defined]
        with pytest.raises(SourceError):
            source.read("a.md", listed.version_hint)
        assert source.read("a.md", listed.version_hint) == b"a"


def test_git_reads_a_path_a_tag_and_no_links(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path)
    repository.write("docs/a.md", b"one")
    (tmp_path / "tree" / "docs" / "link.md").symlink_to("/etc/passwd")
    repository.write("docs/b.md", b"two")
    source = Source(Git(url=str(repository.bare), path="/docs/"), ACCESS, {}.__getitem__)
    found = {listed.uri: listed for listed in source.list()}
    assert set(found) == {"a.md", "b.md", "link.md"}
    with pytest.raises(DocumentUnreadable, match="found a link"):
        source.read("link.md", found["link.md"].version_hint)
    with pytest.raises(SourceError, match="Expected v9 in the repository"):
        list(Source(Git(url=str(repository.bare), ref="v9"), ACCESS, {}.__getitem__).list())
    for path in ("none", "docs/a.md"):
        with pytest.raises(SourceError, match=f"Expected the folder {path} in the repository"):
            list(Source(Git(url=str(repository.bare), path=path), ACCESS, {}.__getitem__).list())
    with pytest.raises(SourceError, match="Check the address"):
        list(Source(Git(url=str(tmp_path / "none")), ACCESS, {}.__getitem__).list())


def test_git_reads_what_was_listed_after_history_was_written_again(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path)
    repository.write("a.md", b"one")
    source = Source(Git(url=str(repository.bare)), ACCESS, {}.__getitem__)
    (listed,) = source.list()
    repository.write("a.md", b"two")
    assert source.read("a.md", listed.version_hint) == b"one"


@pytest.mark.parametrize("setting", [{"url": "ext::sh -c id"}, {"url": "--upload-pack=id"}, {"ref": "--output=/x"}])
def test_git_takes_no_commands_for_addresses(setting: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="begin with a letter"):
        Git.model_validate({"url": "/repository", **setting})


def sql(database_url: str, query: str, **parameters: Any) -> Source:
    login = psycopg.conninfo.conninfo_to_dict(database_url)
    connection = Connection(login=str(login["user"]), schema=str(login["dbname"]), extra={"host": login["host"]})
    block = Sql(conn_id="docs", query=query, parameters=parameters)
    return Source(block, ACCESS, {"docs": connection}.__getitem__)


def test_sql_only_reads(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE pages AS SELECT 'a.md' AS id, 'a' AS body, 1 AS version")
        connection.execute(
            "CREATE FUNCTION take() RETURNS SETOF pages LANGUAGE sql AS 'DELETE FROM pages RETURNING *'"
        )  # fmt: skip
    with pytest.raises(SourceError, match="read-only transaction"):
        list(sql(database_url, "SELECT * FROM take()").list())
    with pytest.raises(SourceError, match="read-only transaction"):
        list(sql(database_url, "SELECT * FROM pages) AS d; DROP TABLE pages; --").list())
    assert len(list(sql(database_url, "SELECT * FROM pages").list())) == 1


def test_sql_names_the_column_that_is_missing_and_binds_values(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="found no body, version"):
        list(sql(database_url, "SELECT 'a.md' AS id").list())
    source = sql(database_url, "SELECT %(id)s || '.md' AS id, 'a%%' AS body, 1 AS version", id="'; --")
    (listed,) = source.list()
    assert (listed.uri, source.read(listed.uri, "1"), listed.size_bytes) == ("'; --.md", b"a%", 2)


def test_a_page_of_a_bucket_is_asked_for_when_the_one_before_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        number = int(parse_qs(urlsplit(handler.path).query).get("continuation-token", ["0"])[0])
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{number + 1}</NextContinuationToken>"
        entries = "".join(
            f"<Contents><Key>{number}-{n}.md</Key><Size>4</Size><ETag>e</ETag>"
            "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
            for n in range(100)
        )
        send(handler, 200, f"<ListBucketResult>{more}{entries}</ListBucketResult>".encode())

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-test")
    with web_server() as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL", web.url)
        web.fallback = page
        listing = Source(S3(bucket="endless"), ACCESS, {}.__getitem__).list()
        assert [listed.uri for listed in islice(listing, 100)][-1] == "0-99.md"
        assert len(web.asked) == 1
        assert [listed.uri for listed in islice(listing, 101)][-1] == "2-0.md"
        assert len(web.asked) == 3
