from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from liftgate import housekeeping
from liftgate.database import queries
from liftgate.errors import IndexDiffers, PromotionRefused, TurnLost
from liftgate.fingerprints import canonical_json
from liftgate.generations import collections_of
from liftgate.indexing import index_changes
from liftgate.plan import plan_changes
from liftgate.releases.ledger import lock_ledger, record, release
from liftgate.releases.rollback import roll_back
from liftgate.runtime import Runtime
from liftgate.turns import release_turn, take_turn

Promoted = Callable[[Runtime, str, int], None]


def rows(small: Any) -> list[str]:
    """The text of every row of the index, by document."""
    with small.runtime.database.transaction() as connection:
        return [row["text"] for row in connection.execute("SELECT text FROM chunks ORDER BY uri, added_in")]


def pruned_generations(small: Any) -> list[int]:
    with small.runtime.database.transaction() as connection:
        found = connection.execute("SELECT generation FROM generations WHERE pruned_at IS NOT NULL ORDER BY 1")
        return [row["generation"] for row in found]


def event(small: Any, kind: str, n: int) -> None:
    with small.runtime.database.transaction() as connection:
        lock_ledger(connection, "small")
        record(connection, "small", kind, by="test", run_id="test", release=n)


def edited(small: Any, weeks: str) -> int:
    """The candidate after the number of weeks was edited."""
    small.write("leave.md", f"# Leave\n\nParents receive {weeks} weeks of paid leave.\n")
    n: int = small.propose()
    return n


def test_rows_of_a_release_that_is_no_longer_kept_are_deleted(small: Any, promoted: Promoted) -> None:
    promoted(small.runtime, "small", small.propose())
    promoted(small.runtime, "small", edited(small, "twenty"))
    gone = housekeeping.prune(small.runtime, small.start())
    assert gone == {"rows": 1, "documents": 1, "generations": 1, "collections": 0}
    assert not any("sixteen" in text for text in rows(small))
    assert len(rows(small)) == 2
    with pytest.raises(PromotionRefused, match="pruned"):
        roll_back(small.runtime, "small", 1, kind="drill", why="test", by="test", run_id="back")


def test_a_release_that_left_live_a_short_time_ago_is_kept(small: Any, promoted: Promoted) -> None:
    small.write_settings(retention={"keep_releases": 1, "keep_hours": 1})
    promoted(small.runtime, "small", small.propose())
    promoted(small.runtime, "small", edited(small, "twenty"))
    assert housekeeping.prune(small.runtime, small.start())["rows"] == 0
    assert roll_back(small.runtime, "small", 1, kind="drill", why="test", by="test", run_id="back") == 1


def test_as_many_releases_as_configured_are_kept(small: Any, promoted: Promoted) -> None:
    small.write_settings(retention={"keep_releases": 2, "keep_hours": 0})
    promoted(small.runtime, "small", small.propose())
    promoted(small.runtime, "small", edited(small, "twenty"))
    promoted(small.runtime, "small", edited(small, "thirty"))
    housekeeping.prune(small.runtime, small.start())
    assert pruned_generations(small) == [1]
    assert sum("twenty" in text or "thirty" in text for text in rows(small)) == 2


def test_generation_whose_rows_all_live_on_stays_whole(small: Any, promoted: Promoted) -> None:
    """A release that only lacks what was added since can be gone back to at no cost."""
    small.write("travel.md", None)
    promoted(small.runtime, "small", small.propose())
    small.write("travel.md", "# Travel\n\nTrains are booked in second class.\n")
    promoted(small.runtime, "small", small.propose())
    assert housekeeping.prune(small.runtime, small.start())["rows"] == 0
    assert pruned_generations(small) == []


def test_prune_after_a_rejection_keeps_what_the_next_generation_is_built_on(small: Any, promoted: Promoted) -> None:
    promoted(small.runtime, "small", small.propose())
    event(small, "rejected", edited(small, "twenty"))
    assert housekeeping.prune(small.runtime, small.start())["rows"] == 0
    event(small, "rejected", edited(small, "thirty"))
    assert housekeeping.prune(small.runtime, small.start())["rows"] == 1
    assert pruned_generations(small) == [2]
    assert not any("twenty" in text for text in rows(small))


@pytest.mark.parametrize("outcome", [None, "held"])
def test_candidate_without_an_end_is_kept(small: Any, promoted: Promoted, outcome: str | None) -> None:
    promoted(small.runtime, "small", small.propose())
    candidate = edited(small, "twenty")
    if outcome:
        event(small, outcome, candidate)
    small.write("leave.md", "# Leave\n\nNothing is paid.\n")
    small.index()
    assert housekeeping.prune(small.runtime, small.start())["rows"] == 0
    event(small, "superseded", candidate)
    assert housekeeping.prune(small.runtime, small.start())["rows"] == 1


def test_anchor_is_kept(small: Any, promoted: Promoted) -> None:
    for weeks, recall in (("sixteen", 0.9), ("twenty", 0.8), ("thirty", 0.7)):
        candidate = edited(small, weeks)
        judge(small, candidate, recall)
        promoted(small.runtime, "small", candidate)
    housekeeping.prune(small.runtime, small.start())
    assert pruned_generations(small) == [2]
    assert any("sixteen" in text for text in rows(small))


def judge(small: Any, n: int, recall: float) -> None:
    """A verdict with one row of evidence."""
    with small.runtime.database.transaction() as connection:
        pair = {
            "candidate_fingerprint": release(connection, "small", n).fingerprint,
            "evaluation_fingerprint": f"conditions {n}",
        }
        shared = {"kb": "small", "release": n, "run_id": "test", **pair}
        number = queries().add_evaluation(connection, **shared, comparison="{}")
        measured = {"side": "candidate", "question": "q-1", "family": "f", "metric": "recall", "slices": []}
        queries().add_evidence(connection, [{"evaluation_id": number, "value": recall, **measured}])
        verdict = canonical_json({"outcome": "promote", "checks": [], "summary": ["shown"]})
        queries().add_verdict(connection, **shared, evaluation_id=number, outcome="promote", verdict=verdict)


def test_rows_of_the_open_generation_are_kept(small: Any, promoted: Promoted) -> None:
    promoted(small.runtime, "small", small.propose())
    small.write("leave.md", None)
    run = small.start()
    take_turn(small.runtime, run)
    for batch in plan_changes(small.runtime, run):
        index_changes(small.runtime, run, batch)
    release_turn(small.runtime, run)
    assert housekeeping.prune(small.runtime, small.start())["rows"] == 0


def test_collection_leaves_the_index_when_nothing_of_it_is_kept(small: Any, promoted: Promoted) -> None:
    promoted(small.runtime, "small", small.propose())
    small.settings["ingestion"]["embeddings"] = {"dims": 256}
    small.write_settings()
    promoted(small.runtime, "small", small.propose())
    with small.runtime.database.transaction() as connection:
        old, new = collections_of(connection, "small")
    gone = housekeeping.prune(small.runtime, small.start())
    assert (gone["collections"], gone["generations"]) == (1, 1)
    with small.runtime.database.transaction() as connection:
        assert connection.execute("SELECT to_regclass(%s) AS t", [old.name]).fetchone() == {"t": None}
        assert len(small.runtime.index_in(connection, new).ids(2)) == 2
    assert housekeeping.prune(small.runtime, small.start())["collections"] == 0


def test_nothing_is_pruned_while_a_run_writes_and_nobody_is_kept_waiting(small: Any, promoted: Promoted) -> None:
    promoted(small.runtime, "small", small.propose())
    promoted(small.runtime, "small", edited(small, "twenty"))
    writer, after = small.start(), small.start()
    take_turn(small.runtime, writer)
    with pytest.raises(TurnLost, match=writer.run_id):
        housekeeping.prune(small.runtime, small.start())
    assert len(rows(small)) == 3
    release_turn(small.runtime, writer)
    assert take_turn(small.runtime, after).run_id == after.run_id


def test_rows_that_no_manifest_knows_are_deleted(small: Any) -> None:
    small.index()
    with small.runtime.database.transaction() as connection:
        where = collections_of(connection, "small")[0]
        copy = (
            "INSERT INTO chunks SELECT collection_id, %s, source, uri, doc_id, version, ordinal, section, 'late', tokens,"
            " updated_at, groups, embedding, added_in, removed_in FROM chunks WHERE uri = 'leave.md'"
        )
        connection.execute(copy, [uuid4()])
    assert housekeeping.compare_newest(small.runtime, small.start()) == 1
    assert "late" not in rows(small)
    with small.runtime.database.transaction() as connection:
        assert len(small.runtime.index_in(connection, where).ids(1)) == 2


def test_row_of_an_earlier_generation_that_came_back_is_ended_again(small: Any) -> None:
    """Deleting it would break the releases that still see it."""
    small.index()
    small.write("leave.md", None)
    small.index()
    with small.runtime.database.transaction() as connection:
        connection.execute("UPDATE chunks SET removed_in = 2147483647")
    assert housekeeping.compare_newest(small.runtime, small.start()) == 0
    with small.runtime.database.transaction() as connection:
        index = small.runtime.index_in(connection, collections_of(connection, "small")[0])
        assert (len(index.ids(1)), len(index.ids(2))) == (2, 1)


def test_missing_rows_are_an_error_after_the_unknown_ones_are_gone(small: Any) -> None:
    small.index()
    with small.runtime.database.transaction() as connection:
        connection.execute("UPDATE chunks SET id = %s WHERE uri = 'leave.md'", [uuid4()])
    with pytest.raises(IndexDiffers, match="1 of them missing"):
        housekeeping.compare_newest(small.runtime, small.start())
    assert len(rows(small)) == 1


def test_housekeeping_gives_its_turn_back(small: Any) -> None:
    small.index()
    run = small.start()
    housekeeping.prune(small.runtime, run)
    housekeeping.compare_newest(small.runtime, run)
    with small.runtime.database.transaction() as connection:
        assert queries().turn(connection, kb="small")["holder"] is None
