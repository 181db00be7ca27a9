"""A kind of source is a module named for its `type`: built in, in the DAG bundle's `sources/`, or an entry point."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from liftgate.config.reading import read_knowledge_base
from liftgate.errors import ConfigurationError
from liftgate.runs import freeze_as_before, load_run
from liftgate.sources.finding import known_kinds
from liftgate.sources.listing import list_sources, sources_of

WIKI = '''
from datetime import datetime, timezone
from liftgate.sources import Listed, SourceBlock

class Wiki(SourceBlock):
    """A wiki."""
    pages: tuple[str, ...]
    """Titles."""

    def open(self, connections):
        return Pages(self.pages)

class Pages:
    def __init__(self, pages):
        self.pages = pages

    def list(self):
        for page in self.pages:
            yield Listed(page, "1", 0, datetime(2026, 1, 1, tzinfo=timezone.utc))

    def read(self, uri, version_hint):
        return uri.encode()
'''


def add_kind(kb: Any, name: str, code: str) -> Path:
    path: Path = kb.folder / "sources" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    return path


def use(kb: Any, **source: Any) -> None:
    kb.ingest(source=source)


def test_a_file_in_sources_is_a_kind_of_its_name(kb: Any) -> None:
    add_kind(kb, "wiki", WIKI)
    use(kb, type="wiki", pages=["leave.md", "notes.txt"], include=["*.md"])
    sources = sources_of(read_knowledge_base(kb.file), kb.runtime.connections)
    assert [(listed.uri, listed.groups) for listed in sources["documents"].list()] == [("leave.md", ("staff",))]
    assert sources["documents"].read("leave.md", "1") == b"leave.md"


def test_settings_of_a_kind_are_checked_like_any_others(kb: Any) -> None:
    add_kind(kb, "wiki", WIKI)
    use(kb, type="wiki", pags=["a"])
    with pytest.raises(ConfigurationError) as refused:
        read_knowledge_base(kb.file)
    assert "ingestion.sources.0.pages: this setting is required" in str(refused.value)
    assert "ingestion.sources.0.pags: there is no such setting" in str(refused.value)


def test_a_run_keeps_a_kind_of_ones_own_in_every_process(kb: Any) -> None:
    add_kind(kb, "wiki", WIKI)
    use(kb, type="wiki", pages=["leave.md"])
    run = kb.freeze()
    elsewhere = (
        "import sys; from liftgate.database import Database; from liftgate.runs import load_run;"
        "run = load_run(Database(sys.argv[1]), sys.argv[2]);"
        "print([listed.uri for listed in run.config.ingestion.sources[0].open(None).list()])"
    )
    told = subprocess.run(
        [sys.executable, "-c", elsewhere, kb.runtime.settings.database_url, run.run_id],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "['leave.md']"


def test_a_stored_run_loads_when_its_kind_is_gone_and_fails_only_where_it_lists(kb: Any) -> None:
    file = add_kind(kb, "wiki", WIKI)
    use(kb, type="wiki", pages=["leave.md"])
    run = kb.freeze()
    file.unlink()
    assert freeze_as_before(kb.runtime, kb.name, "roll_back:1").config.name == kb.name
    loaded = load_run(kb.runtime.database, run.run_id)
    with pytest.raises(ConfigurationError, match=f"Expected {file}, .*'wiki', found no such file on this machine"):
        list_sources(kb.runtime, loaded)
    file.write_text(WIKI.replace("pages: tuple", "titles: tuple"))
    with pytest.raises(ConfigurationError, match="takes others now"):
        list_sources(kb.runtime, load_run(kb.runtime.database, run.run_id))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("def list(: pass", "SyntaxError"),
        ("x = 1", "Expected one subclass of SourceBlock in .*wiki.py, found 0"),
    ],
)
def test_a_broken_kind_is_told_to_who_uses_it_and_to_nobody_else(kb: Any, code: str, message: str) -> None:
    add_kind(kb, "wiki", code)
    assert read_knowledge_base(kb.file).ingestion.sources[0].type == "folder"
    use(kb, type="wiki")
    with pytest.raises(ConfigurationError, match=message):
        read_knowledge_base(kb.file)


def test_a_kind_of_ones_own_cannot_be_mistaken_for_a_built_in_one(kb: Any) -> None:
    add_kind(kb, "folder", WIKI)
    with pytest.raises(ConfigurationError, match="Rename the file"):
        read_knowledge_base(kb.file)


def test_a_configuration_cannot_name_a_file_to_run(kb: Any) -> None:
    elsewhere = kb.folder / "wiki.py"
    elsewhere.write_text(f"import pathlib\npathlib.Path({str(kb.folder / 'ran')!r}).touch()\n{WIKI}")
    use(kb, type="wiki", pages=["a"], kind_file=str(elsewhere))
    with pytest.raises(ConfigurationError, match="filled in by us"):
        read_knowledge_base(kb.file)
    assert not (kb.folder / "ran").exists()


@pytest.mark.parametrize("name", ["wikki", "../wiki", None, 7])
def test_an_unknown_kind_is_told_with_those_that_are_known(kb: Any, name: Any) -> None:
    add_kind(kb, "wiki", WIKI)
    use(kb, type=name)
    with pytest.raises(ConfigurationError, match=r"one of .*folder, .*s3, .*wiki, found"):
        read_knowledge_base(kb.file)


def test_an_installed_package_adds_a_kind_by_an_entry_point(
    kb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site"
    (package / "acme-1.dist-info").mkdir(parents=True)
    (package / "acme-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (package / "acme-1.dist-info" / "entry_points.txt").write_text("[liftgate.sources]\nacme_wiki = acme_pages:Wiki\n")
    (package / "acme_pages.py").write_text(WIKI)
    monkeypatch.syspath_prepend(str(package))
    assert "acme_wiki" in known_kinds()
    use(kb, type="acme_wiki", pages=["leave.md"])
    run = kb.freeze()
    list_sources(kb.runtime, load_run(kb.runtime.database, run.run_id))
    assert kb.query("SELECT uri FROM listed_documents JOIN listings USING (serial) WHERE kb = %s", kb.name) == [
        {"uri": "leave.md"}
    ]


def test_reading_a_configuration_imports_nothing_that_a_source_needs(kb: Any) -> None:
    """A DAG file is parsed at every start of a task."""
    heavy = "fsspec", "s3fs", "botocore", "paramiko", "httpx", "git", "sqlalchemy"
    code = (
        "import sys; from liftgate.config.reading import read_knowledge_base; read_knowledge_base(sys.argv[1]);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    for source in ({"type": "folder", "path": "../documents"}, {"type": "s3", "bucket": "b"}):
        use(kb, **source)
        told = subprocess.run([sys.executable, "-c", code, kb.file], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == "[]"
