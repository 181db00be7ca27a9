"""A source that lists its documents and gives none of them: an error that is seen, and an index that stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftgate.access import apply_access
from liftgate.errors import BrakeApplied, SourceGaveNothing
from liftgate.indexing import close_generation, index_changes, read_attempts
from liftgate.plan import plan_changes
from liftgate.sources.changes import Seen, seen_by_runs
from liftgate.sources.listing import list_sources
from liftgate.turns import release_turn

LOCKED = """
from pathlib import Path
from liftgate.sources import SourceBlock, gone
from liftgate.sources.kinds.folder import FolderReader

class Locked(SourceBlock):
    path: str

    def open(self, connections):
        return Reader(self.path)

class Reader(FolderReader):
    def read(self, uri, version_hint):
        data = super().read(uri, version_hint)
        if data.startswith(b"locked"):
            raise PermissionError("403: this key may list, and not read")
        if data.startswith(b"moved on"):
            raise gone(uri)
        return data
"""
"""Gives what does not begin with the word `locked`."""
PAGE = "# A page\n\nWith some text.\n"


@pytest.fixture
def locked(kb: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A knowledge base over such a source, with nothing in it yet."""
    monkeypatch.setattr(read_attempts, "PAUSE_SECONDS", 0)
    (kb.folder / "sources").mkdir()
    (kb.folder / "sources" / "locked.py").write_text(LOCKED)
    kb.ingest(source={"type": "locked", "path": str(kb.documents)})
    for name in ("leave.md", "travel.md"):
        kb.write(name, None)
    return kb


def write(kb: Any, **pages: str) -> None:
    for name, text in pages.items():
        kb.write(f"{name}.md", text)


def beside_one_that_gives(kb: Any) -> Path:
    """Make it one of two sources, and return the folder of the other."""
    other: Path = kb.folder / "other"
    other.mkdir()
    (other / "page.md").write_text(PAGE)
    sources = [
        {"type": "locked", "name": "wiki", "path": str(kb.documents), "doc_id_prefix": "wiki."},
        {"type": "folder", "name": "files", "path": "../other", "doc_id_prefix": "files."},
    ]
    kb.write_settings(ingestion={"sources": sources, "embeddings": {}})
    return other


def seen(kb: Any) -> Seen | None:
    with kb.runtime.database.transaction() as connection:
        return seen_by_runs(connection, kb.name, ["documents"])


def quarantined(kb: Any) -> list[str]:
    return [row["uri"] for row in kb.query("SELECT uri FROM quarantine WHERE kb = %s ORDER BY uri", kb.name)]


def test_source_that_gives_none_of_its_documents_fails_the_run_with_the_first_reason(locked: Any) -> None:
    write(locked, a="locked", b="locked", c="locked")
    with pytest.raises(
        SourceGaveNothing, match=r"none of 3, first .*to give a\.md, found PermissionError: 403"
    ) as told:
        locked.index()
    assert isinstance(told.value, BrakeApplied), "expected whoever is told of brakes to be told of it"
    assert quarantined(locked) == ["a.md", "b.md", "c.md"]
    assert [row["state"] for row in locked.generations()] == ["open"]
    (run,) = locked.query("SELECT stopped_by FROM runs WHERE kb = %s", locked.name)
    assert "403" in run["stopped_by"]


def test_index_stays_as_it_is_until_the_source_gives_again(locked: Any) -> None:
    pages = dict.fromkeys(("a", "b", "c", "gone"), PAGE)
    write(locked, **pages)
    locked.index()
    before = locked.seen(1)
    locked.write("gone.md", None)
    write(locked, a="locked", b="locked", c="locked")
    with pytest.raises(SourceGaveNothing):
        locked.index()
    assert [row["state"] for row in locked.generations()] == ["closed", "open"]
    assert locked.seen(1) == before
    write(locked, a="# New\n\nText.\n")
    locked.index()
    assert locked.generations()[-1]["state"] == "closed"
    assert len(locked.seen(2)) == 3
    assert quarantined(locked) == ["b.md", "c.md"]


def test_results_of_all_batches_count_together(locked: Any) -> None:
    locked.write_settings(indexing={"batch_documents": 1})
    write(locked, a="locked", b="locked", c="locked")
    run = locked.start()
    batches = locked.plan(run)
    assert len(batches) == 3
    for batch in reversed(batches):
        index_changes(locked.runtime, run, batch)
    with pytest.raises(SourceGaveNothing, match="none of 3"):
        close_generation(locked.runtime, run)
    release_turn(locked.runtime, run)


def test_a_run_that_is_cleared_after_its_source_was_mended_goes_on(locked: Any) -> None:
    write(locked, a="locked", b="locked", c="locked")
    run = locked.start()
    with pytest.raises(SourceGaveNothing):
        locked.finish(run, locked.plan(run))
    assert seen(locked) is None, "expected a watcher to wait for what the run did not get"
    write(locked, a=PAGE, b=PAGE, c=PAGE)
    list_sources(locked.runtime, run)
    apply_access(locked.runtime, run)
    locked.finish(run, plan_changes(locked.runtime, run))
    assert [row["state"] for row in locked.generations()] == ["closed"]
    assert locked.query("SELECT stopped_by FROM runs WHERE kb = %s", locked.name) == [{"stopped_by": None}]
    assert seen(locked) is not None


@pytest.mark.parametrize(
    "pages",
    [
        {"a": "locked"},
        {"a": "locked", "b": "locked"},
        {"a": "locked", "b": "locked", "c": "locked", "d": PAGE},
        {"a": "moved on", "b": "moved on", "c": "moved on"},
        {"a": "locked", "b": "locked", "c": "locked", "d": "\0"},
    ],
    ids=["one", "two", "beside one that is given", "moved on since", "beside one that no parser takes"],
)
def test_documents_that_cannot_be_read_for_themselves_are_quarantined(locked: Any, pages: dict[str, str]) -> None:
    write(locked, **pages)
    locked.index()
    assert quarantined(locked) == [f"{name}.md" for name, text in pages.items() if text != PAGE]
    assert locked.generations()[-1]["state"] in ("closed", "empty")


def test_documents_that_were_set_aside_before_do_not_stop_later_runs(locked: Any) -> None:
    write(locked, a="locked", b="locked", c="locked", d=PAGE)
    locked.index()
    locked.index()
    assert [row["state"] for row in locked.generations()] == ["closed", "empty"]
    write(locked, e="locked", f="locked", g="locked")
    with pytest.raises(SourceGaveNothing, match=r"none of 3, first .*to give e\.md"):
        locked.index()


def test_a_source_that_refuses_one_after_the_other_is_asked_once_for_each_until_it_gives(
    locked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two attempts more are said for each of the first three, then none, and after one that is given two again."""
    write(locked, **dict.fromkeys("abcde", "locked"), f=PAGE, g="locked")
    locked.index()
    again = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("Reading ")]
    assert again == [f"{name}.md," for name in "aabbccgg"]
    assert quarantined(locked) == [f"{name}.md" for name in "abcdeg"]


def test_a_silent_source_is_seen_beside_one_that_gives(locked: Any) -> None:
    write(locked, a="locked", b="locked", c="locked")
    beside_one_that_gives(locked)
    with pytest.raises(SourceGaveNothing, match="of source wiki: none of 3"):
        locked.index()


def test_a_run_that_asked_a_silent_source_for_nothing_makes_it_no_less_silent(locked: Any) -> None:
    other = beside_one_that_gives(locked)
    write(locked, a=PAGE, b=PAGE, c=PAGE)
    locked.index()
    write(locked, a="locked", b="locked", c="locked")
    with pytest.raises(SourceGaveNothing):
        locked.index()
    (other / "new.md").write_text("# New\n\nAn event named it.\n")
    assert locked.outcomes(locked.index(kind="some", include=("new.md",))) == {"new.md": "new"}
    with pytest.raises(SourceGaveNothing, match="of source wiki: none of 3"):
        locked.index()
