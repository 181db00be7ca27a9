"""What is cleared, retried, taken over or written behind the plan's back."""

from __future__ import annotations

from typing import Any

import pytest

from liftgate.access import apply_access
from liftgate.errors import IndexDiffers, TurnLost
from liftgate.indexing import close_generation, index_changes
from liftgate.sources.listing import list_sources
from liftgate.turns import release_turn, take_turn

pytestmark = pytest.mark.parametrize("provider", ["pgvector", "weaviate"], indirect=True)
TWENTY = "# Leave\n\nParents receive twenty weeks of paid leave.\n"
THIRTY = "# Leave\n\nParents receive thirty weeks of paid leave.\n"


def left_open(kb: Any) -> Any:
    """A run that worked its plan off, but died before it closed the generation."""
    run = kb.start()
    for batch in kb.plan(run):
        index_changes(kb.runtime, run, batch)
    release_turn(kb.runtime, run)
    return run


def spans(kb: Any, uri: str) -> list[tuple[int, int]]:
    return [(row["added_in"], row["removed_in"]) for row in kb.chunks(uri)]


def test_batch_that_is_worked_off_twice_changes_nothing(kb: Any) -> None:
    run = kb.start()
    (batch,) = kb.plan(run)
    assert index_changes(kb.runtime, run, batch) == {"new": 2}
    before = kb.stamps()
    assert index_changes(kb.runtime, run, batch) == {}
    assert kb.stamps() == before


def test_take_over_converges_to_the_new_plan_where_a_removed_document_came_back(kb: Any) -> None:
    kb.index()
    kept = (kb.documents / "leave.md").rename(kb.folder / "leave.md")
    left_open(kb)
    assert spans(kb, "leave.md") == [(1, 2)]
    kept.rename(kb.documents / "leave.md")
    kb.touch("travel.md")
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "restored", "travel.md": "touched"}
    assert spans(kb, "leave.md") == [(1, 2147483647)]
    assert kb.generations()[-1]["state"] == "empty"


def test_take_over_deletes_what_the_new_plan_does_not_have(kb: Any) -> None:
    kb.index()
    kb.write("new.md", TWENTY)
    left_open(kb)
    kb.write("new.md", None)
    kb.write("travel.md", "# Travel\n\nTrains are booked in first class.\n")
    kb.index()
    assert kb.chunks("new.md") == []
    assert len(kb.seen(2)) == 2


def test_open_generation_is_taken_over_and_closes_empty_where_nothing_differs_any_more(kb: Any) -> None:
    kb.index()
    kept = (kb.documents / "leave.md").rename(kb.folder / "leave.md")
    left_open(kb)
    kept.rename(kb.documents / "leave.md")
    run = kb.index()
    assert (kb.kind(run), kb.outcomes(run)) == ("index", {"leave.md": "restored"})
    assert kb.seen(2) == kb.seen(1)
    assert kb.generations()[-1]["state"] == "empty"


def test_take_over_writes_the_newer_content_once(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", TWENTY)
    left_open(kb)
    kb.write("leave.md", THIRTY)
    kb.index()
    assert spans(kb, "leave.md") == [(1, 2), (2, 2147483647)]
    assert "thirty" in kb.seen(2)[0]


def test_take_over_by_a_run_over_some_documents_does_not_finish_what_others_began(kb: Any) -> None:
    """Its plan is the last closed manifest changed by what is in its own scope."""
    kb.index()
    kb.write("leave.md", None)
    left_open(kb)
    run = kb.index(kind="some", forced=True, include=("travel.md",))
    assert kb.outcomes(run) == {"leave.md": "restored", "travel.md": "unchanged"}
    assert len(kb.seen(2)) == 2


def test_failed_batch_is_cleared_after_the_run_has_ended(kb: Any) -> None:
    kb.write_settings(indexing={"batch_documents": 1})
    run = kb.start()
    first, second = kb.plan(run)
    index_changes(kb.runtime, run, first)
    release_turn(kb.runtime, run)
    with pytest.raises(TurnLost, match="found nobody holding it"):
        index_changes(kb.runtime, run, second)
    take_turn(kb.runtime, run)
    assert index_changes(kb.runtime, run, second) == {"new": 1}
    close_generation(kb.runtime, run)
    assert len(kb.seen(1)) == 2


def test_batch_is_refused_once_another_run_has_taken_the_generation_over(kb: Any) -> None:
    run = left_open(kb)
    kb.write("leave.md", TWENTY)
    other = kb.start()
    kb.plan(other)
    release_turn(kb.runtime, other)
    take_turn(kb.runtime, run)
    with pytest.raises(TurnLost, match=f"found {other.run_id}.*Clear plan_changes and what is downstream"):
        index_changes(kb.runtime, run, 0)
    with pytest.raises(TurnLost, match=other.run_id):
        close_generation(kb.runtime, run)


def test_cleared_tasks_of_a_closed_generation_verify_and_write_nothing(kb: Any) -> None:
    run = kb.index()
    kb.write("leave.md", TWENTY)
    kb.index()
    before, closed_at = kb.stamps(), kb.generations()[0]["closed_at"]
    assert index_changes(kb.runtime, run, 0) == {}
    assert close_generation(kb.runtime, run) == kb.generations()[0]["counts"]
    assert kb.stamps() == before
    assert kb.generations()[0]["closed_at"] == closed_at


def test_cleared_close_of_a_closed_generation_finds_rows_that_are_missing(kb: Any) -> None:
    run = kb.index()
    kb.lose("leave.md")
    with pytest.raises(IndexDiffers, match="Expected 2 rows.*found 1: 1 are missing and 0 are unknown"):
        close_generation(kb.runtime, run)


def test_generation_with_a_missing_row_is_not_closed(kb: Any) -> None:
    run = left_open(kb)
    take_turn(kb.runtime, run)
    kb.lose("leave.md")
    with pytest.raises(IndexDiffers, match="1 are missing"):
        close_generation(kb.runtime, run)
    assert kb.generations()[0]["state"] == "open"


def test_generation_with_as_many_rows_but_another_one_is_not_closed(kb: Any) -> None:
    """A count would not notice it: the sets of ids are compared."""
    run = left_open(kb)
    take_turn(kb.runtime, run)
    kb.exchange("leave.md")
    with pytest.raises(IndexDiffers, match="found 2: 1 are missing and 1 are unknown.*Clear index_changes"):
        close_generation(kb.runtime, run)
    assert kb.generations()[0]["state"] == "open"


def test_generation_is_not_closed_while_a_batch_is_missing(kb: Any) -> None:
    kb.write_settings(indexing={"batch_documents": 1})
    run = kb.start()
    index_changes(kb.runtime, run, kb.plan(run)[0])
    with pytest.raises(IndexDiffers, match="found 1 that are not"):
        close_generation(kb.runtime, run)


def test_plan_that_is_cleared_and_made_again_goes_on_with_its_own_generation(kb: Any) -> None:
    run = left_open(kb)
    kb.write("pay.md", "# Pay\n\nPay comes at the end of the month.\n")
    take_turn(kb.runtime, run)
    list_sources(kb.runtime, run)
    apply_access(kb.runtime, run)
    kb.finish(run, kb.plan(run))
    assert [row["state"] for row in kb.generations()] == ["closed"]
    assert len(kb.seen(1)) == 3
