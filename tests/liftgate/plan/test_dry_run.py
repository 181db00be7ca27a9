"""A dry run beside real ones: it holds nothing that they wait for, and leaves nothing that they would find."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from liftgate.errors import SourceError
from liftgate.housekeeping import prune
from liftgate.plan.dry_run import ASIDE, Forecast, dry_run
from liftgate.runs import Allowances, Frozen, Run, Scope
from liftgate.sources import deciding
from liftgate.sources.kinds.folder import FolderReader

TABLES = ("listings", "listed_documents", "listed_sidecars", "said_groups", "document_access", "manifest")
SAYS = "---\ngroups: [hr]\n---\n# Leave\n\nSixteen weeks.\n"


@pytest.fixture
def speaking(kb: Any) -> Any:
    """A knowledge base whose documents say themselves who may read them, so that a listing opens them."""
    kb.write("leave.md", SAYS)
    kb.write_settings(access={"groups_from": ["front_matter"], "default_groups": ["staff"]})
    return kb


def rehearse(kb: Any, run_id: str = "rehearsal", scope: Scope | None = None) -> Forecast:
    frozen = Frozen(knowledge_base=kb.freeze().config)
    return dry_run(kb.runtime, Run(kb.name, f"{kb.name}:{run_id}", frozen, scope or Scope(), Allowances()))


def counted(forecast: Forecast) -> dict[str, int]:
    """The lines of the table that are not 0."""
    return {what: number for what, number, _ in forecast.counts() if number}


def stored(kb: Any) -> dict[str, list[Any]]:
    return {table: kb.query(f"SELECT t::text AS row FROM {table} t ORDER BY 1") for table in TABLES}


def test_real_run_waits_for_nothing_while_a_dry_run_is_listing(speaking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "DOCUMENTS_AT_ONCE", 1)  # so that the first words are written before the second
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=5s")  # else a statement that waits would wait for ever here
    speaking.runtime.database.close()
    read, asked = FolderReader.read, []

    def read_while_another_runs(self: FolderReader, uri: str, version_hint: str) -> bytes:
        asked.append(uri)
        if asked == ["leave.md", "travel.md"]:
            speaking.index()
        return read(self, uri, version_hint)

    monkeypatch.setattr(FolderReader, "read", read_while_another_runs)
    forecast = rehearse(speaking)
    assert asked.count("leave.md") > 1, "expected the real run to have opened it, too"
    assert forecast.changes["same"] == 2
    assert speaking.groups("leave.md") == [["hr"]]


def test_forced_dry_run_counts_what_it_opens_although_it_is_unchanged(kb: Any) -> None:
    kb.index()
    found = rehearse(kb, scope=Scope(forced=True))
    assert (counted(found), found.workload.opened) == ({"anyway": 2}, 2)


def test_dry_run_over_some_documents_says_of_no_other_that_it_is_unchanged(kb: Any, promoted: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write("leave.md", "# Leave\n\nTen weeks.\n")
    found = rehearse(kb, scope=Scope(kind="some", include=("/leave.md",)))
    assert counted(found) == {"not looked at": 2}
    assert found.verdict()[0] == ("A run would have nothing to do: no document that can be read matches /leave.md.")
    assert counted(rehearse(kb, scope=Scope(kind="some", include=("*.md",)))) == {"changed": 1, "same": 1}


def test_dry_run_of_a_backfill_counts_what_has_no_time_of_change(kb: Any) -> None:
    kb.index()
    os.utime(kb.documents / "travel.md", (0, 0))
    found = rehearse(kb, scope=Scope(kind="some", forced=True, updated_from=datetime(2000, 1, 1, tzinfo=UTC)))
    assert counted(found) == {"anyway": 1, "not looked at": 1}
    assert "1 documents have no time of change, so no backfill takes them." in found.verdict()


def test_dry_run_leaves_no_row_behind(speaking: Any) -> None:
    speaking.index()
    speaking.write("leave.md", SAYS.replace("hr", "board"))
    before = stored(speaking)
    assert rehearse(speaking).workload.widenings == 1
    assert stored(speaking) == before


def test_dry_run_does_not_ask_again_what_documents_said(speaking: Any, opened: list[str]) -> None:
    speaking.index()
    opened.clear()
    rehearse(speaking)
    assert opened == []


def test_dry_run_of_other_settings_takes_no_words_from_a_run(speaking: Any, opened: list[str]) -> None:
    speaking.index()
    speaking.ingest(source={"type": "folder", "path": "../documents", "include": ["travel.md"]})
    rehearse(speaking)
    speaking.ingest(source={"type": "folder", "path": "../documents"})
    opened.clear()
    speaking.start()
    assert opened == []


def test_dry_run_that_broke_off_leaves_no_row_behind_either(speaking: Any) -> None:
    speaking.ingest(source={"type": "git", "url": str(speaking.folder / "no-such-repository")})
    before = stored(speaking)
    with pytest.raises(SourceError, match="one that broke off"):
        rehearse(speaking)
    assert stored(speaking) == before


@pytest.fixture
def left(speaking: Any) -> None:
    """What two dry runs left behind that were killed two days ago: one while it listed, one before it had a listing."""
    names = (f"{ASIDE}{speaking.name} listing", f"{ASIDE}{speaking.name} beginning")
    speaking.query(
        "INSERT INTO listings (kb, run_id, started_at) VALUES (%s, '', now() - interval '2 days') RETURNING kb",
        names[0],
    )
    for name in names:
        speak(speaking, name)


def speak(kb: Any, name: str) -> None:
    """A word of a document that a dry run knows."""
    kb.query("INSERT INTO said_groups (kb, source, uri, version_hint) VALUES (%s, 's', 'u', 'v') RETURNING kb", name)


def of_dry_runs(kb: Any) -> list[str]:
    statement = (
        "SELECT kb FROM listings WHERE starts_with(kb, %s) UNION SELECT kb FROM said_groups WHERE starts_with(kb, %s)"
    )
    return sorted(row["kb"] for row in kb.query(statement, ASIDE, ASIDE))


def housekeep(kb: Any) -> None:
    prune(kb.runtime, kb.freeze())


@pytest.mark.parametrize("clean_up", [rehearse, housekeep])
@pytest.mark.usefixtures("left")
def test_what_killed_dry_runs_left_behind_goes_with_a_later_one_or_with_housekeeping(
    speaking: Any, clean_up: Callable[[Any], object]
) -> None:
    clean_up(speaking)
    assert of_dry_runs(speaking) == []


def test_housekeeping_takes_nothing_from_a_dry_run_that_is_listing(
    speaking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking.index()
    speaking.write("leave.md", SAYS.replace("hr", "board"))
    read, known = FolderReader.read, []

    def read_while_somebody_cleans_up(self: FolderReader, uri: str, version_hint: str) -> bytes:
        housekeep(speaking)
        known.extend(speaking.query("SELECT uri FROM said_groups WHERE starts_with(kb, %s) ORDER BY uri", ASIDE))
        return read(self, uri, version_hint)

    monkeypatch.setattr(FolderReader, "read", read_while_somebody_cleans_up)
    assert rehearse(speaking).workload.widenings == 1
    assert [row["uri"] for row in known] == ["leave.md", "travel.md"]
