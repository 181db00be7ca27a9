"""One writer: who gets the turn, and what becomes of a writer that was overtaken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from liftgate.errors import TurnLost
from liftgate.indexing import close_generation, index_changes
from liftgate.turns import Turn, Waiting, release_turn, renew_turn, require_turn, take_turn


def expire(kb: Any) -> None:
    kb.query("UPDATE turns SET expires_at = now() - interval '1 second' WHERE kb = %s RETURNING 1", kb.name)


def holder_of(kb: Any) -> str | None:
    (row,) = kb.query("SELECT holder FROM turns WHERE kb = %s", kb.name)
    found: str | None = row["holder"]
    return found


def backfill(kb: Any, month: int) -> Any:
    start = datetime(2026, month, 1, tzinfo=UTC)
    return kb.freeze(kind="some", forced=True, updated_from=start, updated_until=start.replace(day=28))


def test_second_run_waits_and_is_told_who_holds_the_turn_and_until_when(kb: Any) -> None:
    first, second = kb.freeze(), kb.freeze()
    assert isinstance(take_turn(kb.runtime, first), Turn)
    waiting = take_turn(kb.runtime, second)
    assert isinstance(waiting, Waiting)
    assert waiting.holder == first.run_id
    assert waiting.until is not None
    assert f"waiting for {first.run_id}, whose turn lasts until" in str(waiting)
    release_turn(kb.runtime, first)
    assert isinstance(take_turn(kb.runtime, second), Turn)


def test_fence_grows_with_every_acquisition_and_every_plan_but_not_with_a_renewal(kb: Any) -> None:
    run = kb.freeze()
    taken = take_turn(kb.runtime, run)
    assert isinstance(taken, Turn)
    renewed, planned = renew_turn(kb.runtime, run), renew_turn(kb.runtime, run, new_fence=True)
    again = take_turn(kb.runtime, run)
    assert isinstance(again, Turn)
    assert taken.fence == renewed.fence < planned.fence < again.fence


def test_earliest_backfill_goes_next_and_after_every_other_run(kb: Any) -> None:
    holder, march, january, whole = kb.freeze(), backfill(kb, 3), backfill(kb, 1), kb.freeze()
    take_turn(kb.runtime, holder)
    for waiting in (march, january, whole):
        assert isinstance(take_turn(kb.runtime, waiting), Waiting)
    release_turn(kb.runtime, holder)
    order = [whole, january, march]
    while order:
        first = order.pop(0)
        assert [take_turn(kb.runtime, run) for run in order] == [Waiting(first.run_id, None)] * len(order)
        assert isinstance(take_turn(kb.runtime, first), Turn)
        release_turn(kb.runtime, first)


def test_waiting_run_that_died_keeps_nobody_waiting(kb: Any) -> None:
    holder, died, alive = kb.freeze(), kb.freeze(), kb.freeze()
    take_turn(kb.runtime, holder)
    take_turn(kb.runtime, died)
    release_turn(kb.runtime, holder)
    assert take_turn(kb.runtime, alive) == Waiting(died.run_id, None)
    kb.query("UPDATE turn_queue SET seen_at = now() - interval '11 minutes' WHERE run_id = %s RETURNING 1", died.run_id)
    assert isinstance(take_turn(kb.runtime, alive), Turn)


def test_turn_that_was_not_renewed_can_be_taken(kb: Any) -> None:
    dead, alive = kb.freeze(), kb.freeze()
    take_turn(kb.runtime, dead)
    expire(kb)
    assert isinstance(take_turn(kb.runtime, alive), Turn)
    with pytest.raises(TurnLost, match=f"found {alive.run_id} holding it.*Clear plan_changes"):
        renew_turn(kb.runtime, dead)


def test_release_by_another_run_changes_nothing(kb: Any) -> None:
    holder, other = kb.freeze(), kb.freeze()
    take_turn(kb.runtime, holder)
    release_turn(kb.runtime, other)
    assert holder_of(kb) == holder.run_id
    release_turn(kb.runtime, holder)
    release_turn(kb.runtime, holder)
    assert holder_of(kb) is None


def test_knowledge_bases_do_not_wait_for_each_other(kb: Any) -> None:
    take_turn(kb.runtime, kb.freeze())
    kb.name += "_b"
    kb.write_settings(name=kb.name)
    assert isinstance(take_turn(kb.runtime, kb.freeze()), Turn)


def test_writer_with_an_old_fence_cannot_commit(kb: Any) -> None:
    """A cleared plan_changes overtakes the tasks of the plan before it, although the run is the same."""
    run = kb.freeze()
    old = take_turn(kb.runtime, run)
    assert isinstance(old, Turn)
    new = renew_turn(kb.runtime, run, new_fence=True)
    with pytest.raises(TurnLost), kb.runtime.database.transaction() as connection:
        require_turn(connection, old)
    with kb.runtime.database.transaction() as connection:
        require_turn(connection, new)


def test_request_to_a_server_is_sent_only_while_the_lease_outlives_it(kb: Any) -> None:
    """Whoever takes the turn afterwards waits for the lease's end, so their requests never meet."""
    turn = take_turn(kb.runtime, kb.freeze())
    assert isinstance(turn, Turn)
    with kb.runtime.database.transaction() as connection:
        require_turn(connection, turn, outlives_seconds=60)
    lease_seconds = kb.freeze().config.indexing.turn_minutes * 60
    with pytest.raises(TurnLost), kb.runtime.database.transaction() as connection:
        require_turn(connection, turn, outlives_seconds=lease_seconds + 1)


def test_nobody_overtakes_a_write_before_it_is_committed(kb: Any) -> None:
    run = kb.freeze()
    turn = take_turn(kb.runtime, run)
    assert isinstance(turn, Turn)
    expire(kb)
    with kb.runtime.database.transaction() as writing:
        require_turn(writing, turn)
        with pytest.raises(psycopg.errors.LockNotAvailable), kb.runtime.database.transaction() as taking:
            taking.execute("SET LOCAL lock_timeout = '20ms'; UPDATE turns SET fence = fence + 1")


@pytest.mark.parametrize("provider", ["pgvector", "weaviate"], indirect=True)
def test_late_writer_of_a_run_that_lost_its_turn_writes_nothing(kb: Any) -> None:
    late = kb.start()
    (batch,) = kb.plan(late)
    expire(kb)
    other = kb.start()
    batches = kb.plan(other)
    for write in (lambda: index_changes(kb.runtime, late, batch), lambda: close_generation(kb.runtime, late)):
        with pytest.raises(TurnLost, match=other.run_id):
            write()
        assert kb.chunks() == []
    kb.finish(other, batches)
    assert len(kb.chunks()) == 2


@pytest.mark.parametrize("provider", ["pgvector", "weaviate"], indirect=True)
def test_writer_that_is_overtaken_in_the_middle_of_a_batch_writes_nothing(kb: Any) -> None:
    """While it embeds, its lease runs out and another run plans."""
    late = kb.start()
    (batch,) = kb.plan(late)
    other = kb.start()
    embed = kb.embedder.embed

    def overtaken(texts: Any) -> Any:
        kb.embedder.embed = embed
        expire(kb)
        kb.plan(other)
        return embed(texts)

    kb.embedder.embed = overtaken
    with pytest.raises(TurnLost, match=f"found {other.run_id} holding it. Nothing was written"):
        index_changes(kb.runtime, late, batch)
    assert kb.chunks() == []
    kb.finish(other, [0])
    assert len(kb.seen(1)) == 2
