"""A document that cannot be read or parsed is set aside with its reason and keeps its last good rows."""

from __future__ import annotations

import os
from typing import Any

NOT_TEXT = b"# Leave\n\n\xff\xfe\xfa broken"
TWENTY = "# Leave\n\nParents receive twenty weeks of paid leave.\n"


def quarantined(kb: Any) -> dict[str, tuple[str, str]]:
    rows = kb.query("SELECT uri, kind, reason FROM quarantine WHERE kb = %s", kb.name)
    return {row["uri"]: (row["kind"], row["reason"]) for row in rows}


def test_unreadable_document_keeps_its_last_good_rows_and_is_not_counted_as_removed(kb: Any) -> None:
    kb.index()
    kb.write_settings(brakes={"max_removed_share": 0, "max_opened_share": 1})
    kb.write("leave.md", NOT_TEXT)
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "quarantined"}
    assert kb.seen(2) == kb.seen(1)
    kind, reason = quarantined(kb)["leave.md"]
    assert kind == "parse"
    assert "leave.md" in reason
    assert kb.generations()[-1]["state"] == "empty"


def test_unreadable_document_waits_for_a_new_version(kb: Any) -> None:
    kb.write("leave.md", NOT_TEXT)
    kb.index()
    assert [row["uri"] for row in kb.chunks()] == ["travel.md"]
    assert kb.kind(kb.index()) == "verify"
    kb.write("leave.md", TWENTY)
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "new"}
    assert quarantined(kb) == {}


def test_unreadable_document_that_waits_keeps_its_rows_when_others_change(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", NOT_TEXT)
    kb.index()
    kb.write("travel.md", TWENTY)
    run = kb.index()
    assert kb.outcomes(run) == {"travel.md": "changed"}
    assert len(kb.seen(3)) == 2


def test_unreadable_document_is_tried_again_by_another_parser(kb: Any) -> None:
    kb.ingest(parsing={"max_document_bytes": 48})
    kb.index()
    assert set(quarantined(kb)) == {"leave.md"}
    kb.ingest(parsing={})
    run = kb.index()
    assert kb.outcomes(run)["leave.md"] == "new"
    assert quarantined(kb) == {}


def test_document_that_could_not_be_read_is_tried_again_by_the_next_run(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", TWENTY)
    run = kb.start()
    batches = kb.plan(run)
    gone = (kb.documents / "leave.md").rename(kb.folder / "leave.md")
    kb.finish(run, batches)
    assert quarantined(kb)["leave.md"][0] == "read"
    assert kb.seen(2) == kb.seen(1)
    gone.rename(kb.documents / "leave.md")
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "changed"}
    assert quarantined(kb) == {}


def test_quarantine_ends_when_the_document_is_gone_from_its_source(kb: Any) -> None:
    kb.write("leave.md", NOT_TEXT)
    kb.index()
    kb.write("leave.md", None)
    kb.index()
    assert quarantined(kb) == {}


def test_quarantine_ends_when_the_document_goes_back_to_the_version_that_is_indexed(kb: Any, opened: list[str]) -> None:
    kb.index()
    indexed = kb.documents / "leave.md"
    content, changed = indexed.read_bytes(), indexed.stat().st_mtime
    kb.write("leave.md", NOT_TEXT)
    kb.index()
    assert set(quarantined(kb)) == {"leave.md"}
    indexed.write_bytes(content)
    os.utime(indexed, (changed, changed))
    opened.clear()
    kb.index()
    assert (quarantined(kb), opened) == ({}, [])
    assert kb.seen(2) == kb.seen(1)


def test_quarantine_stays_while_the_version_that_is_indexed_cannot_be_read(kb: Any) -> None:
    kb.index()
    run = kb.start(forced=True)
    batches = kb.plan(run)
    gone = (kb.documents / "leave.md").rename(kb.folder / "leave.md")
    kb.finish(run, batches)
    gone.rename(kb.documents / "leave.md")
    kb.plan(kb.start())
    assert set(quarantined(kb)) == {"leave.md"}


def test_revocation_reaches_the_rows_of_a_quarantined_document(kb: Any) -> None:
    kb.allow_groups({}, default=["board", "staff"])
    kb.index()
    kb.write("leave.md", NOT_TEXT)
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=["staff"])
    kb.start()
    assert kb.groups("leave.md") == [["board"]]
