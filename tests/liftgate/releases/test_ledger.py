from __future__ import annotations

from typing import Any

import psycopg
import pytest

from liftgate.errors import PromotionRefused
from liftgate.releases.ledger import live, lock_ledger, record, release, releases


@pytest.mark.parametrize("table", ["releases", "verdicts", "events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET run_id = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_database_refuses_to_change_history(judged: Any, table: str, statement: str) -> None:
    before = judged.query(f"SELECT * FROM {table}")
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        judged.query(statement.format(table))
    assert judged.query(f"SELECT * FROM {table}") == before


def test_events_are_numbered_within_their_knowledge_base(judged: Any) -> None:
    with judged.runtime.database.transaction() as connection:
        lock_ledger(connection, "small")
        lock_ledger(connection, "other")
        assert record(connection, "small", "hold_set", by="ada", run_id="test") == 4
        assert record(connection, "other", "hold_set", by="ada", run_id="test") == 1


def test_release_says_what_it_is_made_of_and_what_became_of_it(judged: Any) -> None:
    with judged.runtime.database.transaction() as connection:
        one = live(connection, "small")
        assert one
        assert [one] == releases(connection, "small")
        assert (one.n, one.component, one.parent, one.outcome, one.unjudged) == (
            1,
            "retrieval",
            None,
            "promoted",
            False,
        )
        assert one.fingerprint == one.makeup.fingerprint
        assert live(connection, "other") is None
        with pytest.raises(PromotionRefused, match="releases list"):
            release(connection, "small", 2)


def test_fingerprint_of_a_candidate_holds_no_numbers(judged: Any) -> None:
    """The same contents in another generation of another collection are the same candidate."""
    makeup = judged.release(1).makeup
    elsewhere = {"generation": 9, "collection_id": 9, "collection": "other"}
    moved = makeup.model_copy(update={"retrieval": makeup.retrieval.model_copy(update=elsewhere)})
    changed = makeup.model_copy(update={"max_new_tokens": 7})
    assert moved.fingerprint == makeup.fingerprint != changed.fingerprint
