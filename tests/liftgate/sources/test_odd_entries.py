"""One odd entry of a source is told by its name, and holds up no other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from source_servers import WebServer, send, sftp_server, web_server

from liftgate.config.access import Access
from liftgate.errors import DocumentUnreadable, SourceError
from liftgate.sources.connections import Connection
from liftgate.sources.kinds.folder import Folder
from liftgate.sources.kinds.http import Http
from liftgate.sources.kinds.sftp import Sftp
from liftgate.sources.kinds.sql import Sql
from liftgate.sources.source import Source

ACCESS = Access(default_groups=("staff",), groups_from=("source",))
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        server.pages |= {"/a.md": b"a", "/z.md": b"z"}
        yield server


def site(web: WebServer, entries: str) -> Source:
    """A source whose sitemap has these entries before a page in order."""
    sitemap = f"<urlset>{entries}<url><loc>{web.url}/z.md</loc></url></urlset>".encode()
    web.special["/map.xml"] = lambda handler: send(handler, 200, sitemap)
    return Source(Http(sitemap=f"{web.url}/map.xml"), ACCESS, {}.__getitem__)


@pytest.mark.parametrize(
    ("lastmod", "hint", "changed"),
    [
        ("2024", "lastmod:2024-01-01", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-05", "lastmod:2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-06T07:08Z", "lastmod:2024-05-06T07:08Z", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("yesterday", "sha256:", NO_TIME),
        ("2024-13", "sha256:", NO_TIME),
        ("0001-01-01T00:00+10:00", "sha256:", NO_TIME),
    ],
)
def test_time_of_a_sitemap_may_be_a_year_or_a_month_and_counts_as_none_where_it_is_no_time(
    web: WebServer, lastmod: str, hint: str, changed: datetime
) -> None:
    web.etags = False
    first, _ = site(web, f"<url><loc>{web.url}/a.md</loc><lastmod>{lastmod}</lastmod></url>").list()
    assert (first.uri, first.updated_at) == (f"{web.url}/a.md", changed)
    assert first.version_hint.startswith(hint)


@pytest.mark.parametrize("page", ["http://[/b.md", "http://[::1/b.md", "b.md", "{url}/b&#10;c.md", "{url}/odd"])
def test_a_page_whose_address_is_none_is_refused_by_its_name(web: WebServer, page: str) -> None:
    web.special["/odd"] = lambda handler: send(handler, 302, location="http://[/x")
    source = site(web, f"<url><loc>{page.format(url=web.url)}</loc></url>")
    odd, sound = source.list()
    assert source.read(sound.uri, sound.version_hint) == b"z"
    with pytest.raises(DocumentUnreadable) as refused:
        source.read(odd.uri, odd.version_hint)
    assert f"Expected {odd.uri} " in str(refused.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_page_that_is_forbidden_among_others_is_quarantined_and_comes_back(
    kb: Any, web: WebServer, status: int
) -> None:
    web.pages = {f"/{name}.md": f"# Page\n\nText of {name}.\n".encode() for name in "abcde"}
    kb.ingest(source={"type": "http", "sitemap": f"{web.url}/sitemap.xml"})
    kb.index()
    web.special |= {f"/{name}.md": lambda handler: send(handler, status) for name in "abc"}
    for _ in range(2):
        web.pages["/e.md"] += b"More.\n"
        run = kb.index()
        assert kb.outcomes(run)[f"{web.url}/e.md"] == "changed"
        reasons = {row["uri"]: row["reason"] for row in kb.query("SELECT * FROM quarantine WHERE kb = %s", kb.name)}
        assert set(reasons) == {f"{web.url}/{name}.md" for name in "abc"}
        assert f"found {status}. Check the credentials" in reasons[f"{web.url}/a.md"]
        assert len(kb.chunks(f"{web.url}/a.md")) == 1
    web.special.clear()
    kb.index()
    assert kb.query("SELECT * FROM quarantine WHERE kb = %s", kb.name) == []


def row(database_url: str, columns: str) -> Source:
    login = psycopg.conninfo.conninfo_to_dict(database_url)
    connection = Connection(login=str(login["user"]), schema=str(login["dbname"]), extra={"host": login["host"]})
    query = f"SELECT 'a.md' AS id, 'x' AS body, 1 AS version, {columns}"
    return Source(Sql(name="pages", conn_id="docs", query=query), ACCESS, {"docs": connection}.__getitem__)


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("DATE '2024-05-06'", datetime(2024, 5, 6, tzinfo=UTC)),
        ("TIMESTAMP '2024-05-06 07:08'", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("TIMESTAMPTZ '2024-05-06 07:08+02'", datetime(2024, 5, 6, 5, 8, tzinfo=UTC)),
        ("'2024-05-06T07:08Z'", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("60", datetime(1970, 1, 1, 0, 1, tzinfo=UTC)),
        *((f"'{never}'::{kind}", NO_TIME) for never in ("infinity", "-infinity") for kind in ("timestamptz", "date")),
        ("TIMESTAMP '0044-03-15 BC'", NO_TIME),
        ("NULL::timestamptz", NO_TIME),
    ],
)
def test_time_of_a_row_may_be_a_day_and_counts_as_none_where_python_has_none_for_it(
    database_url: str, column: str, changed: datetime
) -> None:
    (listed,) = row(database_url, f"{column} AS updated_at").list()
    assert listed.updated_at == changed


@pytest.mark.parametrize("column", ["5 AS groups", "true AS groups", "'soon' AS updated_at"])
def test_a_column_that_is_no_time_or_no_groups_is_named_with_its_row(database_url: str, column: str) -> None:
    with pytest.raises(SourceError, match=f"the column {column.split()[-1]} of source pages .* in row a.md. Correct"):
        list(row(database_url, column).list())


@pytest.mark.parametrize(("column", "groups"), [("ARRAY['hr', NULL]", ("hr",)), ("ARRAY[NULL]", ())])
def test_null_names_no_group(database_url: str, column: str, groups: tuple[str, ...]) -> None:
    (listed,) = row(database_url, f"{column} AS groups").list()
    assert listed.groups == groups


def test_names_of_an_sftp_server_need_not_be_text(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    (tmp_path / odd).mkdir()
    for name in ("ä.md", f"{odd}.md", f"{odd}/b.md"):
        (tmp_path / name).write_text(name, errors="replace")
    with sftp_server(tmp_path) as connection:
        source = Source(Sftp(conn_id="docs", path="/"), ACCESS, {"docs": connection}.__getitem__)
        listed = {one.uri: source.read(one.uri, one.version_hint).decode() for one in source.list()}
    assert listed == {"ä.md": "ä.md", "caf\\xe9.md": "caf?.md", "caf\\xe9/b.md": "caf?/b.md"}


def test_a_folder_whose_name_is_no_text_is_told_and_holds_up_no_other(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    (tmp_path / "a.md").write_text("a")
    source = Source(Folder(path=str(tmp_path)), ACCESS, {}.__getitem__)
    sound, odd = source.list()
    assert sound.uri == "a.md"
    with pytest.raises(DocumentUnreadable, match="Expected a name in UTF-8"):
        source.read(odd.uri, odd.version_hint)
