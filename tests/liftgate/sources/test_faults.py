"""A mistake in the code of a kind is told as one: with its file, the method, the document, and what was found there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from source_servers import send, web_server

from liftgate.config.access import Access
from liftgate.errors import KindFaulty, SourceError
from liftgate.indexing import read_attempts
from liftgate.sources.finding import find_kind
from liftgate.sources.source import Source

KIND = """
from datetime import UTC, datetime
from liftgate.sources import Listed, SourceBlock

class Wiki(SourceBlock):
    def open(self, connections):
        return Reader()

class Reader:
    reads = 0

    def list(self):
        {list}

    def read(self, uri, version_hint):
        Reader.reads += 1
        {read}

PAGE = Listed("a.md", "1", 0, datetime(2026, 1, 1, tzinfo=UTC))
OTHER = Listed("b.md", "1", 0, datetime(2026, 1, 1, tzinfo=UTC))
"""
Kind = Callable[..., Path]


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    """The file of a kind with these lines as the methods of its reader."""

    def write(list: str = "yield PAGE", read: str = "return b''", folder: Path = tmp_path) -> Path:
        file = folder / "sources" / "wiki.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(KIND.format(list=list, read=read))
        return file

    return write


def source(file: Path) -> Source:
    found = find_kind("wiki", folder=file.parents[1] / "knowledge_bases")
    block = found.block(type="wiki", name="wiki", kind_file=found.file)
    return Source(block, Access(default_groups=()), {}.__getitem__)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("yield {'uri': 'a.md'}", "found dict: {'uri': 'a.md'}"),
        ("return None", "found TypeError: 'NoneType' object is not iterable"),
        ("yield PAGE.no_such_field", "found AttributeError: 'Listed' object has no attribute 'no_such_field'"),
        ("yield PAGE; yield {}['results']", "found KeyError: 'results'"),
    ],
)
def test_list_that_is_written_wrongly_is_named_with_what_it_gave(kind: Kind, lines: str, found: str) -> None:
    file = kind(list=lines)
    with pytest.raises(KindFaulty) as told:
        list(source(file).list())
    assert str(told.value).startswith(f"Expected list of source wiki ({file}) to yield Listed, {found}. Mend the code")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("return 'text'", "found str"),
        ("return None", "found NoneType"),
        ("return {}['body']", "found KeyError: 'body'"),
        ("return no_such_name", "found NameError: name 'no_such_name' is not defined"),
    ],
)
def test_read_that_is_written_wrongly_is_named_with_the_document(kind: Kind, lines: str, found: str) -> None:
    file = kind(read=lines)
    with pytest.raises(KindFaulty) as told:
        source(file).read("a.md", "1")
    assert str(told.value).startswith(f"Expected read of source wiki ({file}) to return bytes of a.md, {found}. Mend")


def test_line_of_the_mistake_is_in_the_log(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    file = kind(read="return {}['body']")
    with pytest.raises(KindFaulty):
        source(file).read("a.md", "1")
    told = capsys.readouterr().err
    assert f'File "{file}"' in told
    assert "return {}['body']" in told


@pytest.mark.parametrize("lines", ["raise ConnectionError('gone')", "raise ValueError('no JSON')"])
def test_source_that_does_not_answer_is_no_mistake_of_the_code(kind: Kind, lines: str) -> None:
    with pytest.raises(SourceError, match="Check its address, path and credentials") as told:
        source(kind(read=lines)).read("a.md", "1")
    assert not isinstance(told.value, KindFaulty)


def test_a_document_on_which_the_code_fails_is_asked_for_once_and_quarantined(
    kb: Any, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_attempts, "PAUSE_SECONDS", 0)
    file = kind("yield PAGE; yield OTHER", "return {'b.md': b'# Page'}[uri]", folder=kb.folder)
    kb.ingest(source={"type": "wiki"})
    run = kb.index()
    assert kb.outcomes(run) == {"a.md": "quarantined", "b.md": "new"}
    (row,) = kb.query("SELECT reason FROM quarantine WHERE kb = %s", kb.name)
    assert f"Expected read of source documents ({file}) to return bytes of a.md, found KeyError" in row["reason"]
    assert type(run.config.ingestion.sources[0].open({}.__getitem__)).reads == 2  # type: ignore[attr-defined]


def test_what_httpx_says_of_a_status_is_told_without_its_link(kind: Kind) -> None:
    with web_server() as web:
        web.special["/a"] = lambda handler: send(handler, 403, b"")
        code = f"import httpx; return httpx.get({web.url + '/a'!r}).raise_for_status().content"
        with pytest.raises(SourceError, match="found HTTPStatusError: Client error '403 Forbidden'") as told:
            source(kind(read=code)).read("a.md", "1")
    assert "\n" not in str(told.value)
