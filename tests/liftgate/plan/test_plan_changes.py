"""What a run does: decided from listing and manifest, without touching either."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest

from liftgate.plan import plan_changes, stop_if_nothing_to_do
from liftgate.plan.planned import Change
from liftgate.plan.scope import in_scope
from liftgate.plan.storing import MOST_BATCHES
from liftgate.runs import Scope
from liftgate.turns import release_turn, take_turn

MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def row(change: Change, uri: str = "hr/leave.md", updated_at: datetime = MAY) -> dict[str, Any]:
    return {"change": change, "uri": uri, "updated_at": updated_at}


def held(kb: Any) -> list[dict[str, Any]]:
    """Rows and manifest of the knowledge base, without what a chunk holds."""
    entries = "SELECT m.* FROM manifest m JOIN collections c ON c.id = m.collection_id WHERE c.kb = %s ORDER BY uri"
    rows = [{name: row[name] for name in ("id", "added_in", "removed_in", "groups")} for row in kb.chunks()]
    return [*rows, *kb.query(entries, kb.name)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), {Change.NEW, Change.CHANGED, Change.AGAIN, Change.GONE}),
        (Scope(forced=True), set(Change)),
        (Scope(kind="some"), {Change.NEW, Change.CHANGED, Change.AGAIN}),
        (Scope(kind="some", forced=True), set(Change) - {Change.GONE}),
    ],
)
def test_run_over_some_documents_removes_nothing_and_a_forced_one_opens_what_is_unchanged(
    scope: Scope, expected: set[Change]
) -> None:
    assert {change for change in Change if in_scope(scope, row(change))} == expected


def test_backfill_takes_documents_that_changed_from_its_start_until_before_its_end() -> None:
    scope = Scope(kind="some", forced=True, updated_from=MAY, updated_until=JUNE)
    assert in_scope(scope, row(Change.SAME, updated_at=MAY))
    assert not in_scope(scope, row(Change.SAME, updated_at=JUNE))
    assert not in_scope(scope, row(Change.SAME, updated_at=datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC)))


def test_patterns_name_the_documents_of_a_run() -> None:
    scope = Scope(kind="some", include=("hr/**", "it/vpn.md"))
    named = [uri for uri in ("hr/a/b.md", "it/vpn.md", "it/mail.md") if in_scope(scope, row(Change.NEW, uri))]
    assert named == ["hr/a/b.md", "it/vpn.md"]


def test_plan_touches_neither_index_nor_manifest(kb: Any) -> None:
    kb.index()
    before = held(kb)
    kb.write("leave.md", None)
    kb.write("pay.md", "# Pay\n\nPay comes at the end of the month.\n")
    kb.plan(kb.start())
    assert held(kb) == before


def test_unchanged_documents_are_not_opened(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", "# Leave\n\nParents receive twenty weeks of paid leave.\n")
    run = kb.index()
    assert kb.outcomes(run) == {"leave.md": "changed"}
    assert kb.generations()[-1]["counts"]["opened"] == 1


def test_plan_is_cut_into_batches_of_the_configured_size(kb: Any) -> None:
    kb.write("pay.md", "# Pay\n\nPay comes at the end of the month.\n")
    kb.write_settings(indexing={"batch_documents": 2})
    assert kb.plan(kb.start()) == [0, 1]


def test_batches_grow_where_there_would_be_more_than_airflow_maps(kb: Any) -> None:
    for number in range(MOST_BATCHES + 1):
        (kb.documents / f"note-{number}.md").write_text(f"Note {number}.")
    kb.write_settings(indexing={"batch_documents": 1})
    assert len(kb.plan(kb.start())) == (MOST_BATCHES + 3 + 1) // 2


def test_removals_alone_are_a_batch(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", None)
    run = kb.start()
    assert kb.plan(run) == [0]
    assert stop_if_nothing_to_do(kb.runtime, run)


def test_unchanged_sources_with_an_unjudged_candidate_are_only_verified(kb: Any) -> None:
    kb.index()
    run = kb.start()
    assert kb.plan(run) == [0]
    assert kb.kind(run) == "verify"
    assert stop_if_nothing_to_do(kb.runtime, run)
    kb.finish(run, [0])
    assert len(kb.generations()) == 1


def test_unchanged_sources_that_are_live_leave_nothing_to_do(kb: Any, promoted: Any, capsys: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    run = kb.index()
    assert kb.kind(run) == "nothing"
    assert "Nothing to do: live is release 1" in capsys.readouterr().out


def test_forced_run_goes_on_although_everything_is_live(kb: Any, promoted: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    run = kb.index(forced=True)
    assert kb.outcomes(run) == {"leave.md": "unchanged", "travel.md": "unchanged"}


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ({"include": ("/leave.md", "hr/**")}, "no document that can be read matches /leave.md or hr/**."),
        ({"include": ("travel.md",)}, "no document that matches travel.md differs from what is indexed."),
        (
            {"updated_from": MAY, "updated_until": JUNE, "forced": True},
            "no document that can be read was changed from 2026-05-01 00:00 until before 2026-06-01 00:00.",
        ),
        (
            {"include": ("hr/**",), "updated_from": MAY},
            "no document that can be read matches hr/** and was changed from 2026-05-01 00:00.",
        ),
    ],
)
def test_run_over_some_documents_without_work_says_nothing_of_all_others(
    kb: Any, promoted: Any, capsys: Any, scope: dict[str, Any], reason: str
) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    kb.write("leave.md", "# Leave\n\nParents receive ten weeks of paid leave.\n")
    run = kb.index(kind="some", **scope)
    assert (kb.kind(run), kb.reason(run)) == ("nothing", reason)
    assert "up to date" not in capsys.readouterr().out


def test_backfill_says_how_many_documents_it_cannot_take_for_want_of_a_time(kb: Any, capsys: Any) -> None:
    kb.index()
    (kb.documents / "untimed.md").write_text("# Untimed\n\nAn export without a time.\n")
    os.utime(kb.documents / "untimed.md", (0, 0))
    kb.index(kind="some", include=("leave.md",), forced=True)
    assert "no time of change" not in capsys.readouterr().out
    kb.index(kind="some", updated_from=MAY, updated_until=JUNE, forced=True)
    assert "1 documents have no time of change, so no backfill takes them." in capsys.readouterr().out


def test_run_lists_again_if_a_generation_was_closed_after_its_listing_began(kb: Any) -> None:
    kb.index()
    late = kb.start()
    kb.write("pay.md", "# Pay\n\nPay comes at the end of the month.\n")
    kb.index()
    kb.allow_groups({"leave.md": ["board"]}, default=["staff"])
    take_turn(kb.runtime, late)
    plan_changes(kb.runtime, late)
    assert kb.kind(late) == "verify", "its own listing knew nothing of pay.md and would have removed it"
    assert len(kb.query("SELECT FROM listings WHERE run_id = %s", late.run_id)) == 2
    release_turn(kb.runtime, late)


def test_each_collection_has_its_own_manifest_and_a_new_one_takes_everything(kb: Any) -> None:
    kb.index()
    kb.ingest(embeddings={"dims": 256})
    run = kb.index(kind="some", include=("leave.md",))
    assert kb.outcomes(run) == {"leave.md": "new", "travel.md": "new"}
