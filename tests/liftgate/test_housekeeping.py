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

pytestmark = pytest.mark.parametrize("provider", ["pgvector", "weaviate"], indirect=True)
Promoted = Callable[[Runtime, str, int], None]


def rows(kb: Any) -> list[str]:
    """The text of every row of the index, by document."""
    return [row["text"] for row in sorted(kb.chunks(), key=lambda row: (row["uri"], row["added_in"]))]


def has_collection(kb: Any, name: str) -> bool:
    if kb.settings["ingestion"].get("vector_index"):
        return bool(kb.runtime.servers.weaviate.collections.exists(name))
    return kb.query("SELECT to_regclass(%s) AS t", name) != [{"t": None}]


def pruned_generations(kb: Any) -> list[int]:
    found = kb.query("SELECT generation FROM generations WHERE kb = %s AND pruned_at IS NOT NULL", kb.name)
    return sorted(row["generation"] for row in found)


def event(kb: Any, kind: str, n: int) -> None:
    with kb.runtime.database.transaction() as connection:
        lock_ledger(connection, kb.name)
        record(connection, kb.name, kind, by="test", run_id="test", release=n)


def edited(kb: Any, weeks: str) -> int:
    """The candidate after the number of weeks was edited."""
    kb.write("leave.md", f"# Leave\n\nParents receive {weeks} weeks of paid leave.\n")
    n: int = kb.propose()
    return n


def test_rows_of_a_release_that_is_no_longer_kept_are_deleted(kb: Any, promoted: Promoted) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    promoted(kb.runtime, kb.name, edited(kb, "twenty"))
    gone = housekeeping.prune(kb.runtime, kb.start())
    assert gone == {"rows": 1, "documents": 1, "generations": 1, "collections": 0, "listed": 2}
    assert not any("sixteen" in text for text in rows(kb))
    assert len(rows(kb)) == 2
    with pytest.raises(PromotionRefused, match="pruned"):
        roll_back(kb.runtime, kb.name, 1, kind="drill", why="test", by="test", run_id="back")


def test_a_release_that_left_live_a_short_time_ago_is_kept(kb: Any, promoted: Promoted) -> None:
    kb.write_settings(retention={"keep_releases": 1, "keep_hours": 1})
    promoted(kb.runtime, kb.name, kb.propose())
    promoted(kb.runtime, kb.name, edited(kb, "twenty"))
    assert housekeeping.prune(kb.runtime, kb.start())["rows"] == 0
    assert roll_back(kb.runtime, kb.name, 1, kind="drill", why="test", by="test", run_id="back") == 1


def test_as_many_releases_as_configured_are_kept(kb: Any, promoted: Promoted) -> None:
    kb.write_settings(retention={"keep_releases": 2, "keep_hours": 0})
    promoted(kb.runtime, kb.name, kb.propose())
    promoted(kb.runtime, kb.name, edited(kb, "twenty"))
    promoted(kb.runtime, kb.name, edited(kb, "thirty"))
    housekeeping.prune(kb.runtime, kb.start())
    assert pruned_generations(kb) == [1]
    assert sum("twenty" in text or "thirty" in text for text in rows(kb)) == 2


def test_generation_whose_rows_all_live_on_stays_whole(kb: Any, promoted: Promoted) -> None:
    """A release that only lacks what was added since can be gone back to at no cost."""
    kb.write("travel.md", None)
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write("travel.md", "# Travel\n\nTrains are booked in second class.\n")
    promoted(kb.runtime, kb.name, kb.propose())
    assert housekeeping.prune(kb.runtime, kb.start())["rows"] == 0
    assert pruned_generations(kb) == []


def test_prune_after_a_rejection_keeps_what_the_next_generation_is_built_on(kb: Any, promoted: Promoted) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    event(kb, "rejected", edited(kb, "twenty"))
    assert housekeeping.prune(kb.runtime, kb.start())["rows"] == 0
    event(kb, "rejected", edited(kb, "thirty"))
    assert housekeeping.prune(kb.runtime, kb.start())["rows"] == 1
    assert pruned_generations(kb) == [2]
    assert not any("twenty" in text for text in rows(kb))


@pytest.mark.parametrize("outcome", [None, "held"])
def test_candidate_without_an_end_is_kept(kb: Any, promoted: Promoted, outcome: str | None) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    candidate = edited(kb, "twenty")
    if outcome:
        event(kb, outcome, candidate)
    kb.write("leave.md", "# Leave\n\nNothing is paid.\n")
    kb.index()
    assert housekeeping.prune(kb.runtime, kb.start())["rows"] == 0
    event(kb, "superseded", candidate)
    assert housekeeping.prune(kb.runtime, kb.start())["rows"] == 1


def test_anchor_is_kept(kb: Any, promoted: Promoted) -> None:
    for weeks, recall in (("sixteen", 0.9), ("twenty", 0.8), ("thirty", 0.7)):
        candidate = edited(kb, weeks)
        judge(kb, candidate, recall)
        promoted(kb.runtime, kb.name, candidate)
    housekeeping.prune(kb.runtime, kb.start())
    assert pruned_generations(kb) == [2]
    assert any("sixteen" in text for text in rows(kb))


def judge(kb: Any, n: int, recall: float) -> None:
    """A verdict with one row of evidence."""
    with kb.runtime.database.transaction() as connection:
        pair = {
            "candidate_fingerprint": release(connection, kb.name, n).fingerprint,
            "evaluation_fingerprint": f"conditions {n}",
        }
        shared = {"kb": kb.name, "release": n, "run_id": "test", **pair}
        number = queries().add_evaluation(connection, **shared, comparison="{}")
        measured = {"side": "candidate", "question": "q-1", "family": "f", "metric": "recall", "slices": []}
        queries().add_evidence(connection, [{"evaluation_id": number, "value": recall, **measured}])
        verdict = canonical_json({"outcome": "promote", "checks": [], "summary": ["shown"]})
        queries().add_verdict(connection, **shared, evaluation_id=number, outcome="promote", verdict=verdict)


def test_rows_of_the_open_generation_are_kept(kb: Any, promoted: Promoted) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write("leave.md", None)
    run = kb.start()
    take_turn(kb.runtime, run)
    for batch in plan_changes(kb.runtime, run):
        index_changes(kb.runtime, run, batch)
    release_turn(kb.runtime, run)
    assert housekeeping.prune(kb.runtime, kb.start())["rows"] == 0


def test_collection_leaves_the_index_when_nothing_of_it_is_kept(kb: Any, promoted: Promoted) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.settings["ingestion"]["embeddings"] = {"dims": 256}
    kb.write_settings()
    promoted(kb.runtime, kb.name, kb.propose())
    with kb.runtime.database.transaction() as connection:
        old, new = collections_of(connection, kb.name)
    gone = housekeeping.prune(kb.runtime, kb.start())
    assert (gone["collections"], gone["generations"]) == (1, 1)
    with kb.runtime.database.transaction() as connection:
        assert len(kb.runtime.index_in(connection, new).ids(2)) == 2
    assert not has_collection(kb, old.name)
    assert housekeeping.prune(kb.runtime, kb.start())["collections"] == 0


def test_nothing_is_pruned_while_a_run_writes_and_nobody_is_kept_waiting(kb: Any, promoted: Promoted) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    promoted(kb.runtime, kb.name, edited(kb, "twenty"))
    writer, after = kb.start(), kb.start()
    take_turn(kb.runtime, writer)
    with pytest.raises(TurnLost, match=writer.run_id):
        housekeeping.prune(kb.runtime, kb.start())
    assert len(rows(kb)) == 3
    release_turn(kb.runtime, writer)
    assert take_turn(kb.runtime, after).run_id == after.run_id


def test_rows_that_no_manifest_knows_are_deleted(kb: Any) -> None:
    kb.index()
    kb.add_like("leave.md", id=uuid4(), text="late")
    assert housekeeping.compare_newest(kb.runtime, kb.start()) == 1
    assert "late" not in rows(kb)
    assert len(rows(kb)) == 2


def test_row_of_an_earlier_generation_that_came_back_is_ended_again(kb: Any) -> None:
    """Deleting it would break the releases that still see it."""
    kb.index()
    kb.write("leave.md", None)
    kb.index()
    for index in kb.indexes():
        index.put_back(index.ids(1), 2)
    assert housekeeping.compare_newest(kb.runtime, kb.start()) == 0
    with kb.runtime.database.transaction() as connection:
        index = kb.runtime.index_in(connection, collections_of(connection, kb.name)[0])
        assert (len(index.ids(1)), len(index.ids(2))) == (2, 1)


def test_groups_that_a_late_request_brought_back_are_narrowed_again(kb: Any) -> None:
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=["staff"])
    kb.index()
    kb.add_like("leave.md", groups=("board", "staff"))
    assert kb.groups("leave.md") == [["board", "staff"]]
    housekeeping.compare_newest(kb.runtime, kb.start())
    assert kb.groups("leave.md") == [["board"]]


def test_missing_rows_are_an_error_after_the_unknown_ones_are_gone(kb: Any) -> None:
    kb.index()
    kb.exchange("leave.md")
    with pytest.raises(IndexDiffers, match="1 of them missing"):
        housekeeping.compare_newest(kb.runtime, kb.start())
    assert len(rows(kb)) == 1


def test_housekeeping_gives_its_turn_back(kb: Any) -> None:
    kb.index()
    run = kb.start()
    housekeeping.prune(kb.runtime, run)
    housekeeping.compare_newest(kb.runtime, run)
    with kb.runtime.database.transaction() as connection:
        assert queries().turn(connection, kb=kb.name)["holder"] is None
