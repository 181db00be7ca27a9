"""What readers get while a canary runs, and what is told of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from canaries import HALF, at_the_end, ended, reported, started
from trained_adapter import adapter_run

from liftgate.releases.canary import running_canary, tallies
from liftgate.releases.canary_steps import start_canary
from liftgate.releases.serving import Outcome, Serving, report_outcomes, serving

READERS = [f"reader {number}" for number in range(200)]


def served(judged: Any, reader: str | None, **given: Any) -> Serving:
    with judged.runtime.database.transaction() as connection:
        found = serving(connection, "small", reader, **given)
    assert found
    return found


def of_canary(judged: Any) -> str:
    """A reader who gets the canary."""
    return next(reader for reader in READERS if served(judged, reader).side == "canary")


def number(judged: Any) -> int:
    """That of the canary that runs."""
    found = served(judged, None).canary
    assert found
    return found


def test_without_a_canary_everybody_gets_what_is_live(judged: Any) -> None:
    found = served(judged, "ada")
    assert (found.release.n, found.makeup, found.canary, found.side) == (1, judged.release(1).makeup, None, "live")


def test_nothing_is_served_before_anything_is_live(small: Any) -> None:
    with small.runtime.database.transaction() as connection:
        assert serving(connection, "small", "ada") is None


def test_a_share_of_readers_gets_the_canary_always_the_same_ones(judged: Any) -> None:
    started(judged, canary={**HALF, "share": 0.2})
    sides = [served(judged, reader).side for reader in READERS]
    assert sides == [served(judged, reader).side for reader in READERS]
    assert 0.14 < sides.count("canary") / len(READERS) < 0.26
    assert served(judged, of_canary(judged)).canary == number(judged) == served(judged, None).canary
    assert served(judged, None).side == "live"


def test_readers_of_the_canary_get_todays_index_with_the_canarys_adapter(judged: Any) -> None:
    _, candidate = started(judged)
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    index, _ = judged.whole_run()
    found, live = served(judged, of_canary(judged)), judged.release(index).makeup
    assert (found.release.n, found.makeup.retrieval, found.makeup.prompt) == (index, live.retrieval, live.prompt)
    assert found.makeup.adapter == judged.release(candidate).makeup.adapter
    assert served(judged, None).makeup == live


def test_readers_get_live_again_when_the_canarys_time_is_up_also_if_nobody_judged_it(judged: Any) -> None:
    started(judged)
    reader, end = of_canary(judged), at_the_end(judged)
    assert served(judged, reader, now=end - timedelta(seconds=2)).side == "canary"
    assert served(judged, reader, now=end).side == "live"


def test_an_outcome_counts_once_and_on_the_side_of_its_reader(judged: Any) -> None:
    started(judged)
    one = Outcome(canary=number(judged), side="canary", reader=of_canary(judged), request="r", good=True)
    changes: list[dict[str, Any]] = [{"side": "live", "request": "s"}, {"canary": 1, "request": "t"}, {"good": False}]
    assert report_outcomes(judged.runtime, "small", [one, one]) == 1
    assert report_outcomes(judged.runtime, "small", [one.model_copy(update=change) for change in changes]) == 0
    with judged.runtime.database.transaction() as connection:
        running = running_canary(connection, "small")
        assert running
        canary, live = tallies(connection, "small", running.n, running.until)
    assert (canary.good, canary.answered, live.answered) == ((1,), (1,), ())


def test_no_reader_is_named_in_what_is_kept(judged: Any) -> None:
    started(judged)
    reported(judged, canary=1, live=1, readers=20)
    rows = judged.query("SELECT * FROM canary_outcomes")
    assert len(rows) == 20
    assert "reader " not in json.dumps(rows, default=str)


def test_outcomes_that_come_when_no_canary_runs_are_left_out(judged: Any) -> None:
    _, candidate = started(judged)
    one = Outcome(canary=number(judged), side="canary", reader=of_canary(judged), request="r", good=True)
    ended(judged, candidate)
    assert report_outcomes(judged.runtime, "small", [one]) == 0


def test_a_second_canary_of_a_release_draws_its_readers_anew_and_takes_no_outcome_of_the_first(judged: Any) -> None:
    _, candidate = started(judged)
    sides = [served(judged, reader).side for reader in READERS]
    one = Outcome(canary=number(judged), side="canary", reader=of_canary(judged), request="r", good=True)
    assert report_outcomes(judged.runtime, "small", [one]) == 1
    ended(judged, candidate)
    run = adapter_run(judged, file={"canary": {**HALF, "hours": 72}})
    start_canary(judged.runtime, run, candidate)
    assert number(judged) != one.canary
    assert sides != [served(judged, reader).side for reader in READERS]
    late = [one.model_copy(update={"reader": reader}) for reader in READERS]
    assert report_outcomes(judged.runtime, "small", late) == 0


@pytest.mark.parametrize("statement", ["UPDATE {} SET good = true", "DELETE FROM {}", "TRUNCATE {}"])
def test_outcomes_cannot_be_changed(judged: Any, statement: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        judged.query(statement.format("canary_outcomes"))
