"""What is opened to find out whether documents moved, before any brake: little, and never without need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from liftgate.runs import Allowances
from liftgate.sources.kinds.folder import FolderReader


@pytest.fixture(autouse=True)
def _everybody_may_read(kb: Any) -> None:
    kb.allow_groups({"secret/**": ["board"]}, default=["board", "staff"])


def test_documents_whose_sizes_no_one_tells_are_not_opened_before_the_brakes(
    kb: Any, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = FolderReader.list
    monkeypatch.setattr(FolderReader, "list", lambda self: (replace(one, size_bytes=0) for one in listed(self)))
    kb.index()
    opened.clear()
    kb.move("leave.md", "secret/leave.md")
    kb.start()
    assert opened == []


def test_no_more_possible_moves_are_opened_than_a_run_may_open(kb: Any, opened: list[str]) -> None:
    kb.write("meals.md", "# Meals\n\nTrains are booked in second class.\n")
    kb.index()
    opened.clear()
    kb.write_settings(brakes={"max_opened_documents": 1})
    for name in ("meals.md", "travel.md"):
        kb.move(name, f"secret/{name}")
    kb.start()
    assert opened == ["secret/meals.md"]
    assert [kb.groups(name) for name in ("meals.md", "travel.md")] == [[["board"]], [["board", "staff"]]]
    kb.start(Allowances(opened=2))
    assert [kb.groups(name) for name in ("meals.md", "travel.md")] == [[["board"]], [["board"]]]
