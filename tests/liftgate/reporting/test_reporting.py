from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liftgate.errors import BrakeApplied
from liftgate.releases.ledger import release
from liftgate.releases.rollback import roll_back
from liftgate.reporting.flips import Flip, Measured, flips
from liftgate.reporting.health import health, knowledge_bases, standings
from liftgate.reporting.history import Wanted, find_events, history_of
from liftgate.reporting.timeline import live_periods, metrics_of, timeline
from liftgate.reporting.verdicts import newest_judged


@pytest.fixture
def told(judged: Any) -> Any:
    """Release 1 is live again, by a rollback; 2 was promoted meanwhile, 3 rejected."""
    judged.write("desk-1.md", judged.text(1, "Ring twice."))
    assert judged.whole_run() == (2, "promote")
    judged.retrieve_by(min_score=0.99)
    assert judged.whole_run() == (3, "reject")
    roll_back(judged.runtime, judged.name, 1, kind="drill", why="an exercise", by="ada", run_id="back")
    return judged


def read(kb: Any, function: Any, *arguments: Any) -> Any:
    with kb.runtime.database.transaction() as connection:
        return function(connection, *arguments)


def test_timeline_says_what_became_of_every_release(told: Any) -> None:
    lines = read(told, timeline, told.name)
    assert [(line.n, line.live, line.outcome, line.verdict) for line in lines] == [
        (1, True, "rolled_back", "promote"),
        (2, False, "promoted", "promote"),
        (3, False, "rejected", "reject"),
    ]
    assert [line.can_go_back_to for line in lines] == [False, True, False]
    assert lines[2].summary.startswith("Reject: ")
    assert lines[1].means["recall"] == 1.0
    assert metrics_of(lines) == ["recall", "refusal_correct"]
    assert metrics_of([]) == []


def test_release_whose_rows_are_pruned_cannot_be_gone_back_to(told: Any) -> None:
    told.query("UPDATE generations SET pruned_at = now() WHERE generation = 2 RETURNING 1")
    line = read(told, timeline, told.name)[1]
    assert (line.pruned, line.can_go_back_to) == (True, False)


def test_live_periods_follow_each_other(told: Any) -> None:
    periods = read(told, live_periods, told.name)
    assert [period.release for period in periods] == [1, 2, 1]
    assert [period.until for period in periods] == [periods[1].since, periods[2].since, None]


def test_verdict_of_a_release_is_the_one_that_was_reached_last(told: Any) -> None:
    judged = read(told, newest_judged, told.release(3))
    assert judged.verdict.outcome == "reject"
    assert judged.against == ("baseline", "anchor")
    told.ask_more()
    told.retrieve_by(min_score=0.99, top_k=3)
    told.whole_run()
    again = read(told, newest_judged, told.release(3))
    assert again.evaluation_id > judged.evaluation_id


def test_questions_that_flipped_are_listed_with_the_largest_loss_first(told: Any) -> None:
    judged = read(told, newest_judged, told.release(3))
    found = read(told, flips, judged.evaluation_id, "baseline")
    assert [flip.question for flip in found] == sorted(f"q-{number}" for number in range(32))
    assert found[0].measured == (Measured("refusal_correct", 0.0, 1.0),)
    assert (found[0].kind, found[0].family) == ("lost", "desk-0.md")
    assert read(told, flips, read(told, newest_judged, told.release(2)).evaluation_id, "baseline") == []


@pytest.mark.parametrize(
    ("measured", "kind", "worst"),
    [
        ([("recall", 1.0, 0.0)], "gained", 1.0),
        ([("recall", 1.0, 0.0), ("ndcg", 0.4, 0.5)], "both", -0.1),
        ([("recall", None, 0.0)], "gained", 0.0),
        ([("recall", None, 1.0)], "lost", -1.0),
        ([("recall", 1.0, None)], "gained", 0.0),
    ],
)
def test_flip_counts_what_is_missing_as_the_gate_does(measured: Any, kind: str, worst: float) -> None:
    flip = Flip("q", "f", (), tuple(Measured(*one) for one in measured))
    assert (flip.kind, flip.worst) == (kind, pytest.approx(worst))


def test_health_says_what_holds_live_up_and_how_fresh_it_is(told: Any) -> None:
    found = read(told, health, told.name)
    assert found.live.n == 1
    assert found.hold.why == "rolled back from release 2: an exercise"
    assert found.behind_since < datetime.now(UTC)
    assert (found.ages.documents, found.ages.chunks) == (36, 36)
    assert found.ages.newest - found.ages.oldest == timedelta(days=35)
    assert [one.release for one in found.times_to_live] == [1, 2]
    assert 0 < found.usual_seconds_to_live < 600
    assert (found.newest_run.stopped_by, found.newest_run.listing_error) == (None, None)
    assert found.quarantined == ()


def test_health_names_quarantined_documents_and_the_brake_that_stopped_the_last_run(small: Any) -> None:
    small.write("torn.pdf", b"%PDF-1.4 torn")
    small.index()
    small.write_settings(brakes={"max_removed_share": 0})
    small.write("leave.md", None)
    with pytest.raises(BrakeApplied, match="documents to remove"):
        small.index()
    found = read(small, health, small.name)
    assert found.live is None
    assert [(one.uri, one.kind) for one in found.quarantined] == [("torn.pdf", "parse")]
    assert "documents to remove" in found.newest_run.stopped_by


def test_standings_have_a_line_for_each_knowledge_base(told: Any) -> None:
    assert read(told, knowledge_bases) == ["small"]
    (line,) = read(told, standings, ["small"])
    assert (line.live, line.newest, line.quarantined) == (1, 3, 0)
    assert line.held_why == "rolled back from release 2: an exercise"
    assert line.behind_since == read(told, health, told.name).behind_since
    assert read(told, standings, []) == []


def test_what_is_up_to_date_is_not_behind(judged: Any) -> None:
    (line,) = read(judged, standings, ["small"])
    assert (line.behind_since, line.held_since) == (None, None)


def test_events_are_found_by_kind_release_words_and_time(told: Any) -> None:
    def numbers(**wanted: Any) -> list[tuple[str, int | None]]:
        return [(event.kind, event.release) for event in read(told, find_events, told.name, Wanted(**wanted))]

    assert numbers(kinds=("promoted", "rejected")) == [("rejected", 3), ("promoted", 2), ("promoted", 1)]
    assert numbers(release=3) == [("rejected", 3), ("evaluated", 3), ("proposed", 3)]
    assert numbers(words="AN EXERCISE") == [("hold_set", None), ("rolled_back", 1)]
    assert numbers(since=datetime.now(UTC)) == []
    assert len(numbers(until=datetime.now(UTC))) == len(numbers())
    assert [event.kind for event in read(told, history_of, told.name, 2)] == ["proposed", "evaluated", "promoted"]


def test_two_hundred_releases_take_as_many_queries_as_one(told: Any) -> None:
    told.query(
        "INSERT INTO releases (kb, n, component, makeup, fingerprint, parent, run_id, unjudged) "
        "SELECT kb, n + more, component, makeup, fingerprint, parent, run_id, unjudged "
        "FROM releases, generate_series(10, 210) more WHERE n = 1 RETURNING 1"
    )
    with told.runtime.database.transaction() as connection:
        executed: list[str] = []
        run = connection.cursor

        def counting(*arguments: Any, **options: Any) -> Any:
            executed.append("query")
            return run(*arguments, **options)

        connection.cursor = counting  # type: ignore[method-assign, assignment]
        lines = timeline(connection, told.name)
        del connection.cursor  # type: ignore[method-assign]
    assert (len(lines), len(executed)) == (204, 2)
    assert release(connection, told.name, 211).fingerprint == lines[0].release.fingerprint
