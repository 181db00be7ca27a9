"""What a document says of its readers is known for one way of reading: another one reads it again."""

from __future__ import annotations

from typing import Any

import pytest

from liftgate.sources import words
from liftgate.sources.kinds.folder import FolderReader


@pytest.fixture
def speaking(kb: Any) -> Any:
    """A knowledge base with a document that speaks for itself, one with a sidecar, and one without a word."""
    kb.write("leave.md", "---\ngroups: [hr]\n---\n# Leave\n\nSixteen weeks.\n")
    kb.write("pay.md", "# Pay\n\nMonthly.\n")
    kb.write("pay.md.access.yaml", "groups: [board]\n")
    use(kb, "front_matter", "sidecar")
    return kb


def use(kb: Any, *origins: str) -> None:
    kb.write_settings(access={"groups_from": list(origins), "default_groups": ["staff"]})


def test_words_are_read_again_when_our_way_of_reading_changes(
    speaking: Any, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking.index()
    opened.clear()
    speaking.start()
    assert opened == []
    monkeypatch.setattr(words, "READER_VERSION", words.READER_VERSION + 1)
    speaking.start()
    assert sorted(opened) == ["leave.md", "pay.md", "pay.md.access.yaml", "travel.md"]
    opened.clear()
    speaking.start()
    assert opened == []


def test_words_are_read_again_when_other_origins_count(speaking: Any, opened: list[str]) -> None:
    speaking.index()
    opened.clear()
    use(speaking, "sidecar")
    speaking.start()
    assert opened == ["pay.md.access.yaml"]
    assert (speaking.groups("leave.md"), speaking.groups("pay.md")) == ([["staff"]], [["board"]])


def test_what_an_older_reader_found_lets_nobody_read_who_may_not(
    speaking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older reader took the groups for something else, and the document cannot be read again just now."""
    speaking.index()
    speaking.query(
        "UPDATE said_groups SET groups = '{everyone}', reading = 'older' WHERE kb = %s RETURNING 1", speaking.name
    )

    def refuse(*_: object) -> bytes:
        raise ConnectionError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(FolderReader, "read", refuse)
        speaking.start()
        assert (speaking.groups("leave.md"), speaking.groups("pay.md")) == ([[]], [[]])
    speaking.start()
    assert (speaking.groups("leave.md"), speaking.groups("pay.md")) == ([["hr"]], [["board"]])
