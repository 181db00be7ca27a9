"""Servers that fail, mislead or send too much: a clear error or a quarantine entry, and nothing is removed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from object_store import BUCKET, s3_server
from source_servers import WebServer, send, web_server

from liftgate.errors import BrakeApplied, DocumentChanged, DocumentUnreadable, SourceError
from liftgate.sources import sitemap as sitemap_module
from liftgate.sources import web as web_module
from liftgate.sources.kinds.http import Http, HttpReader
from liftgate.sources.kinds.s3 import S3, S3Reader

pytestmark = pytest.mark.slow

DENIED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
PAGE_ONE = (
    b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken><Contents>"
    b"<Key>leave.md</Key><Size>4</Size><ETag>e</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
    b"</ListBucketResult>"
)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(web_module, "PAUSES_SECONDS", (0.0, 0.0))
    with web_server() as server:
        yield server


def redirect(to: str) -> Any:
    return lambda handler: send(handler, 302, location=to)


def http(web: WebServer, *paths: str, **settings: Any) -> HttpReader:
    addresses = tuple(web.url + path for path in paths)
    return Http(addresses=addresses, **settings).open({}.__getitem__)


def refused(web: WebServer, path: str, **settings: Any) -> str:
    """Why a page that is listed is never read."""
    reader = http(web, path, **settings)
    (listed,) = reader.list()
    with pytest.raises(DocumentUnreadable) as error:
        reader.read(listed.uri, listed.version_hint)
    return str(error.value)


def stops_and_removes_nothing(kb: Any, message: str) -> None:
    """The next run stops with that message, and every row is still there."""

    def rows() -> list[Any]:
        return [(row["id"], row["text"], row["groups"], row["removed_in"]) for row in kb.chunks()]

    before = rows()
    with pytest.raises(BrakeApplied, match=message):
        kb.index()
    assert rows() == before


def test_redirects_are_followed_within_the_hosts_of_the_source(web: WebServer) -> None:
    web.pages["/new.md"] = b"moved"
    web.special["/old.md"] = redirect("/new.md")
    reader = http(web, "/old.md")
    (listed,) = reader.list()
    assert (listed.uri, reader.read(listed.uri, listed.version_hint)) == (web.url + "/old.md", b"moved")


def test_redirects_in_a_circle_are_refused(web: WebServer) -> None:
    web.special |= {"/a": redirect("/b"), "/b": redirect("/a"), "/self": redirect("/self")}
    assert "leads around in a circle" in refused(web, "/a")
    assert "leads around in a circle" in refused(web, "/self")


def test_a_redirect_to_another_host_is_refused_and_not_asked(web: WebServer) -> None:
    with web_server() as other:
        other.pages["/secret"] = b"inside the network"
        web.special["/out"] = redirect(f"{other.url}/secret")
        assert f"leads to {other.url}" in refused(web, "/out")
        assert other.asked == []
        reader = http(web, "/out", hosts=[other.url])
        (listed,) = reader.list()
        assert reader.read(listed.uri, listed.version_hint) == b"inside the network"


def test_a_page_of_another_host_in_a_sitemap_is_listed_and_refused(web: WebServer) -> None:
    elsewhere = b"<urlset><url><loc>http://169.254.169.254/latest</loc></url></urlset>"
    web.special["/map.xml"] = lambda handler: send(handler, 200, elsewhere)
    reader = Http(sitemap=f"{web.url}/map.xml").open({}.__getitem__)
    (listed,) = reader.list()
    with pytest.raises(DocumentUnreadable, match="169.254.169.254"):
        reader.read(listed.uri, listed.version_hint)


@pytest.mark.parametrize("packed", [True, False])
def test_a_page_over_the_limit_is_not_read_to_its_end(web: WebServer, packed: bool) -> None:
    body = gzip.compress(bytes(200 << 20), 1) if packed else bytes(5 << 20)
    encoding = {"content_encoding": "gzip"} if packed else {}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            send(handler, 200, body, etag='"1"', **encoding)
        except OSError:
            return  # the client had enough

    web.special["/big"] = answer
    assert "at most 1000000 bytes" in refused(web, "/big", max_bytes=1_000_000)


def test_a_page_that_is_gone_is_not_listed_and_one_that_goes_after_that_is_changed(web: WebServer) -> None:
    web.pages["/a.md"] = b"a"
    reader = http(web, "/a.md", "/none.md")
    (listed,) = reader.list()
    del web.pages["/a.md"]
    with pytest.raises(DocumentChanged, match="gone"):
        reader.read(listed.uri, listed.version_hint)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_server_that_refuses_or_fails_is_an_error_and_no_removal(kb: Any, web: WebServer, status: int) -> None:
    web.pages |= {"/leave.md": b"# Leave\n\nSixteen weeks.\n", "/pay.md": b"# Pay\n\nMonthly.\n"}
    kb.ingest(source={"type": "http", "sitemap": f"{web.url}/sitemap.xml"})
    kb.index()
    assert {row["uri"] for row in kb.chunks()} == {f"{web.url}/leave.md", f"{web.url}/pay.md"}
    web.special["/pay.md"] = lambda handler: send(handler, status)
    if status in (401, 403):  # of one page that says nothing yet
        web.special["/leave.md"] = web.special["/pay.md"]
    stops_and_removes_nothing(kb, f"broke off: .*Expected {web.url}/.*.md with status 200, found {status}")
    web.special = {"/sitemap.xml": web.special["/pay.md"]}
    stops_and_removes_nothing(kb, f"sitemap.xml with status 200, found {status}")


def test_a_server_that_is_busy_for_a_moment_is_asked_again(web: WebServer) -> None:
    web.pages["/a.md"] = b"a"
    answers = iter([503, 429])

    def busy(handler: BaseHTTPRequestHandler) -> None:
        status = next(answers, None)
        send(handler, status) if status else send(handler, 200, b"a", etag='"1"')

    web.special["/a.md"] = busy
    assert [listed.uri for listed in http(web, "/a.md").list()] == [f"{web.url}/a.md"]


def test_unchanged_pages_are_asked_for_their_version_only(kb: Any, web: WebServer) -> None:
    web.pages |= {
        "/leave.md": b"# Leave\n\nSixteen weeks.\n",
        "/pay": b"<!DOCTYPE html><p>Monthly, on the last day.</p>",
    }
    kb.ingest(source={"type": "http", "sitemap": f"{web.url}/sitemap.xml"})
    kb.index()
    assert len(kb.chunks()) == 2
    web.asked.clear()
    kb.index()
    assert sorted(web.asked) == [("GET", "/sitemap.xml"), ("HEAD", "/leave.md"), ("HEAD", "/pay")]


def test_sitemaps_that_lead_around_are_read_once_and_pages_listed_once(web: WebServer) -> None:
    page = f"<url><loc>{web.url}/a.md</loc><lastmod>2026-02-03</lastmod></url>"
    index = f"<sitemap><loc>{web.url}/index.xml</loc></sitemap><sitemap><loc>{web.url}/pages.xml.gz</loc></sitemap>"
    web.pages["/a.md"] = b"a"
    web.special["/index.xml"] = lambda handler: send(handler, 200, f"<sitemapindex>{index}</sitemapindex>".encode())
    packed = gzip.compress(f"<urlset>{page}{page}</urlset>".encode())
    web.special["/pages.xml.gz"] = lambda handler: send(handler, 200, packed)
    listed = list(Http(sitemap=f"{web.url}/index.xml").open({}.__getitem__).list())
    assert [(one.uri, one.updated_at.day) for one in listed] == [(f"{web.url}/a.md", 3)]


def test_a_sitemap_may_be_larger_than_a_page_and_lead_to_so_many_others(web: WebServer, monkeypatch: Any) -> None:
    for name in "abc":
        web.pages[f"/{name}.md"] = b"a"
    assert len(list(Http(sitemap=f"{web.url}/sitemap.xml", max_bytes=10).open({}.__getitem__).list())) == 3
    more = "".join(f"<sitemap><loc>{web.url}/{n}.xml</loc></sitemap>" for n in range(2))
    web.special["/index.xml"] = lambda handler: send(handler, 200, f"<sitemapindex>{more}</sitemapindex>".encode())
    monkeypatch.setattr(sitemap_module, "MOST_SITEMAPS", 2)
    with pytest.raises(SourceError, match="at most 2 sitemaps"):
        list(Http(sitemap=f"{web.url}/index.xml").open({}.__getitem__).list())


ENTITIES = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"<html><p>Not found",
        b"<html><p>Soon back</p></html>",
        b"",
        ENTITIES + b"]><urlset><url><loc>&j;</loc></url>",
        gzip.compress(bytes(100 << 20), 1),
    ],
    ids=["page", "whole page", "empty", "entities", "packed zeros"],
)
def test_what_is_no_sitemap_is_an_error(web: WebServer, body: bytes) -> None:
    web.special["/map.xml"] = lambda handler: send(handler, 200, body)
    with pytest.raises(SourceError, match="sitemap|at most"):
        list(Http(sitemap=f"{web.url}/map.xml").open({}.__getitem__).list())


def test_a_sitemap_cannot_have_a_file_of_the_worker_put_into_it(web: WebServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{web.url}/secret")
    entity = f'<!DOCTYPE a [<!ENTITY a SYSTEM "file://{tmp_path}/secret">]>'
    body = f"{entity}<urlset><url><loc>&a;</loc></url><url><loc>{web.url}/a.md</loc></url></urlset>".encode()
    web.special["/map.xml"] = lambda handler: send(handler, 200, body)
    web.pages |= {"/a.md": b"a", "/secret": b"s"}
    listed = list(Http(sitemap=f"{web.url}/map.xml").open({}.__getitem__).list())
    assert [one.uri for one in listed] == [f"{web.url}/a.md"]


def s3_at(kb: Any, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", web.url)
    kb.ingest(source={"type": "s3", "bucket": "llm"})


def test_expired_credentials_are_told_and_remove_nothing(kb: Any, web: WebServer, monkeypatch: Any) -> None:
    kb.index()
    web.special["/llm?list-type=2&prefix=&encoding-type=url"] = lambda handler: send(handler, 403, DENIED)
    s3_at(kb, web, monkeypatch)
    stops_and_removes_nothing(kb, "ExpiredToken.*Check its address, path and credentials")


def test_a_listing_that_fails_half_way_narrows_what_it_listed_and_removes_nothing(
    kb: Any, web: WebServer, monkeypatch: Any
) -> None:
    kb.index()
    first = "/llm?list-type=2&prefix=&encoding-type=url"
    web.special[first] = lambda handler: send(handler, 200, PAGE_ONE)
    web.special["/llm?list-type=2&prefix=&continuation-token=2&encoding-type=url"] = lambda handler: send(
        handler, 403, DENIED
    )
    s3_at(kb, web, monkeypatch)
    kb.allow_groups({"leave.md": []}, default=["staff"])
    stops = kb.start()
    with pytest.raises(BrakeApplied, match="broke off: .*ExpiredToken"):
        kb.plan(stops)
    assert {uri: kb.groups(uri) for uri in ("leave.md", "travel.md")} == {"leave.md": [[]], "travel.md": [["staff"]]}


def test_an_empty_or_missing_bucket_and_an_object_that_goes(kb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(monkeypatch) as (files, _):
        files.pipe(f"{BUCKET}/leave.md", b"# Leave\n\nSixteen weeks.\n")
        kb.ingest(source={"type": "s3", "bucket": BUCKET})
        kb.index()
        reader = S3(bucket=BUCKET).open({}.__getitem__)
        (listed,) = reader.list()
        files.pipe(f"{BUCKET}/leave.md", b"# Leave\n\nTwenty weeks.\n")
        with pytest.raises(DocumentChanged):
            reader.read("leave.md", listed.version_hint)
        files.rm(f"{BUCKET}/leave.md")
        with pytest.raises(DocumentChanged, match="gone"):
            reader.read("leave.md", listed.version_hint)
        stops_and_removes_nothing(kb, "Expected the sources to list documents, found none while 1 are indexed")
        kb.ingest(source={"type": "s3", "bucket": "no-such-bucket"})
        stops_and_removes_nothing(kb, "NoSuchBucket")


@pytest.mark.parametrize("groups", [{"groups_tag": "acl"}, {"groups_metadata": "acl"}])
def test_an_object_that_goes_while_its_bucket_is_listed_is_not_listed(
    groups: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(monkeypatch) as (files, _):
        for name in ("a.md", "b.md", "c.md"):
            files.pipe(f"{BUCKET}/{name}", b"text")
        ask = S3Reader._groups

        def after_a_deletion(reader: S3Reader, key: str) -> tuple[str, ...] | None:
            if key == "b.md":
                files.rm(f"{BUCKET}/b.md")
            return ask(reader, key)

        monkeypatch.setattr(S3Reader, "_groups", after_a_deletion)
        listing = S3.model_validate({"bucket": BUCKET, **groups}).open({}.__getitem__).list()
        assert [one.uri for one in listing] == ["a.md", "c.md"]


def test_a_source_that_lists_a_document_twice_is_told_so_and_narrows_what_came_before(kb: Any) -> None:
    (kb.folder / "sources").mkdir()
    (kb.folder / "sources" / "twice.py").write_text(
        "from datetime import datetime, timezone\n"
        "from liftgate.sources import Listed, SourceBlock\n"
        "class Twice(SourceBlock):\n"
        "    def open(self, connections):\n"
        "        return self\n"
        "    def list(self):\n"
        "        for uri in ('leave.md', 'a.md', 'a.md', 'travel.md'):\n"
        "            yield Listed(uri, '1', 0, datetime.now(timezone.utc))\n"
    )
    kb.index()
    kb.ingest(source={"type": "twice"})
    stops_and_removes_nothing(kb, r"Expected every document once, .*a\.md")
    kb.allow_groups({}, default=[])
    kb.start()
    assert {uri: kb.groups(uri) for uri in ("leave.md", "travel.md")} == {"leave.md": [[]], "travel.md": [["staff"]]}
