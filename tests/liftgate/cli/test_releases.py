from __future__ import annotations

import getpass
from typing import Any

import pytest

from liftgate.database import queries
from liftgate.evaluation.conditions import retrieval_conditions
from liftgate.evaluation.evaluate import evaluate
from liftgate.evaluation.evidence import Comparison, Row
from liftgate.evaluation.sides import sides_for
from liftgate.evaluation.storing import store_evaluation
from liftgate.gate import policy
from liftgate.releases import promotion
from liftgate.releases.ledger import release


def judged(small: Any, *, right: int, questions: int = 60) -> int:
    """A candidate that was judged as a first release, `right` of the questions answered by its context."""
    run = small.index()
    n: int = small.propose()
    with small.runtime.database.transaction() as connection:
        candidate = release(connection, "small", n)
        conditions = retrieval_conditions(connection, run)
        sides = sides_for(connection, candidate, conditions)
    rows = [
        Row("candidate", f"q-{i}", f"family-{i}", metric, float(i < right), ())
        for i in range(questions)
        for metric in ("recall", "refusal_correct")
    ]
    made_of = {"candidate": sides.made_of(conditions)["candidate"]}
    comparison = Comparison(component="retrieval", made_of=made_of, rows=tuple(rows), data_quality=True)
    rules = policy.first_release(run.config.gate)
    evaluate(small.runtime, run, store_evaluation(small.runtime, run, candidate, conditions, rules, comparison))
    promotion.reject(small.runtime, run, n) if right < questions / 2 else None
    return n


def test_release_is_promoted_rolled_back_and_promoted_again(small: Any, liftgate: Any, promoted: Any) -> None:
    assert liftgate("releases", "promote", "small", judged(small, right=60), "--why", "first").exit_code == 0
    small.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    second = small.propose()
    promoted(small.runtime, "small", second)
    back = liftgate("releases", "roll-back", "small", 1, "--kind", "drill", "--why", "exercise")
    assert back.exit_code == 0, back.output
    listed = liftgate("releases", "list", "small").stdout
    assert "1 (live)" in listed
    assert "on hold" in listed
    assert "behind its sources" in listed
    assert liftgate("releases", "promote", "small", 2, "--why", "again").exit_code == 1
    assert liftgate("releases", "resume", "small").exit_code == 0
    assert "There is no hold" in liftgate("releases", "resume", "small").stdout


def test_ledger_says_who_acted_at_the_command_line(small: Any, liftgate: Any) -> None:
    liftgate("releases", "promote", "small", judged(small, right=60), "--why", "it is good")
    with small.runtime.database.transaction() as connection:
        event = queries().last_event_of(connection, kb="small", kinds=["promoted"])
    assert (event["by_whom"], event["why"]) == (getpass.getuser(), "it is good")
    assert event["run_id"].startswith(f"cli:{getpass.getuser()}:")


def test_release_without_a_verdict_is_not_promoted_and_overridden_neither(small: Any, liftgate: Any) -> None:
    n = small.propose()
    for more in ([], ["--override"]):
        result = liftgate("releases", "promote", "small", n, "--why", "please", *more)
        assert (result.exit_code, "verdict" in result.stderr) == (1, True)


def test_rejected_release_goes_live_only_by_an_override(small: Any, liftgate: Any) -> None:
    n = judged(small, right=10)
    assert liftgate("releases", "promote", "small", n, "--why", "please").exit_code == 1
    assert liftgate("releases", "promote", "small", n, "--why", "I answer for it", "--override").exit_code == 0
    assert "overridden" in liftgate("releases", "show", "small", n).stdout


def test_release_judged_against_another_one_is_superseded_with_exit_code_1(
    small: Any, liftgate: Any, promoted: Any
) -> None:
    n = judged(small, right=60)
    small.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    promoted(small.runtime, "small", small.propose())
    result = liftgate("releases", "promote", "small", n, "--why", "late")
    assert (result.exit_code, "superseded" in result.stdout) == (1, True)


def test_list_has_a_line_for_each_release_with_outcome_and_verdict(small: Any, liftgate: Any) -> None:
    judged(small, right=10)
    small.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    small.propose()
    lines = [line for line in liftgate("releases", "list", "small").stdout.splitlines() if "generation" in line]
    first, second = ([cell.strip() for cell in line.split("│")] for line in lines)
    assert first[1:6] == ["1", "retrieval", first[3], "rejected", "reject"]
    assert second[1:6] == ["2", "retrieval", second[3], "open", "none"]


def test_show_replays_the_verdict_from_its_rows(small: Any, liftgate: Any) -> None:
    n = judged(small, right=60)
    shown = liftgate("releases", "show", "small", n)
    assert shown.exit_code == 0, shown.output
    assert "Computed again from 120 rows of evidence" in shown.stdout
    line = next(line for line in shown.stdout.splitlines() if "floor recall" in line)
    cells = [cell.strip() for cell in line.split("│")]
    assert cells[2:4] == ["pass", "1.000"]
    assert " to 1.000" in cells[6]
    assert cells[7] == "0.700"
    assert cells[9] == "60 in 60 families"


def test_show_refuses_a_verdict_that_its_rows_do_not_give(small: Any, liftgate: Any) -> None:
    n = judged(small, right=60)
    with small.runtime.database.transaction() as connection:
        connection.execute("UPDATE evidence SET value = 0")
    result = liftgate("releases", "show", "small", n)
    assert (result.exit_code, "The evidence was changed" in result.stderr) == (1, True)


@pytest.mark.parametrize("n", [0, 7])
def test_unknown_release_is_an_error(small: Any, liftgate: Any, n: int) -> None:
    small.propose()
    result = liftgate("releases", "show", "small", n)
    assert (result.exit_code, f"release {n} of small" in result.stderr) == (1, True)
