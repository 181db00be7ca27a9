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
from liftgate.news import news_of_ledger
from liftgate.releases import promotion
from liftgate.releases.ledger import release


def judged(kb: Any, *, right: int, questions: int = 60) -> int:
    """A candidate that was judged as a first release, `right` of the questions answered by its context."""
    run = kb.index()
    n: int = kb.propose()
    with kb.runtime.database.transaction() as connection:
        candidate = release(connection, kb.name, n)
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
    evaluate(kb.runtime, run, store_evaluation(kb.runtime, run, candidate, conditions, rules, comparison))
    promotion.reject(kb.runtime, run, n) if right < questions / 2 else None
    return n


def test_release_is_promoted_rolled_back_and_promoted_again(kb: Any, liftgate: Any, promoted: Any) -> None:
    assert liftgate("releases", "promote", kb.name, judged(kb, right=60), "--why", "first").exit_code == 0
    kb.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    second = kb.propose()
    promoted(kb.runtime, kb.name, second)
    back = liftgate("releases", "roll-back", kb.name, 1, "--kind", "drill", "--why", "exercise")
    assert back.exit_code == 0, back.output
    listed = liftgate("releases", "list", kb.name).stdout
    assert "1 (live)" in listed
    assert "on hold" in listed
    assert "behind its sources" in listed
    assert liftgate("releases", "promote", kb.name, 2, "--why", "again").exit_code == 1
    assert liftgate("releases", "resume", kb.name).exit_code == 0
    assert "There is no hold" in liftgate("releases", "resume", kb.name).stdout


def test_next_run_tells_once_what_was_done_at_the_command_line(kb: Any, liftgate: Any, promoted: Any) -> None:
    first = liftgate("releases", "promote", kb.name, judged(kb, right=60), "--why", "first")
    kb.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    promoted(kb.runtime, kb.name, kb.propose())
    news_of_ledger(kb.runtime, kb.name)
    back = liftgate("releases", "roll-back", kb.name, 1, "--kind", "quality", "--why", "wrong weeks")
    on = liftgate("releases", "resume", kb.name)
    assert all(f"The next run about {kb.name} tells" in one.stdout for one in (first, back, on))
    by = f"By {getpass.getuser()}: "
    assert [(one.occasion, one.text) for one in news_of_ledger(kb.runtime, kb.name)] == [
        ("rolled_back", f"{by}wrong weeks. Promotions are on hold until resume_{kb.name}."),
        ("resumed", f"{by}no reason given."),
    ]
    assert news_of_ledger(kb.runtime, kb.name) == []


def test_ledger_says_who_acted_at_the_command_line(kb: Any, liftgate: Any) -> None:
    liftgate("releases", "promote", kb.name, judged(kb, right=60), "--why", "it is good")
    with kb.runtime.database.transaction() as connection:
        event = queries().last_event_of(connection, kb=kb.name, kinds=["promoted"])
    assert (event["by_whom"], event["why"]) == (getpass.getuser(), "it is good")
    assert event["run_id"].startswith(f"cli:{getpass.getuser()}:")


def test_release_without_a_verdict_is_not_promoted_and_overridden_neither(kb: Any, liftgate: Any) -> None:
    n = kb.propose()
    for more in ([], ["--override"]):
        result = liftgate("releases", "promote", kb.name, n, "--why", "please", *more)
        assert (result.exit_code, "verdict" in result.stderr) == (1, True)


def test_rejected_release_goes_live_only_by_an_override(kb: Any, liftgate: Any) -> None:
    n = judged(kb, right=10)
    assert liftgate("releases", "promote", kb.name, n, "--why", "please").exit_code == 1
    assert liftgate("releases", "promote", kb.name, n, "--why", "I answer for it", "--override").exit_code == 0
    assert "overridden" in liftgate("releases", "show", kb.name, n).stdout


def test_release_judged_against_another_one_is_superseded_with_exit_code_1(
    kb: Any, liftgate: Any, promoted: Any
) -> None:
    n = judged(kb, right=60)
    kb.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    promoted(kb.runtime, kb.name, kb.propose())
    result = liftgate("releases", "promote", kb.name, n, "--why", "late")
    assert (result.exit_code, "superseded" in result.stdout) == (1, True)


def test_list_has_a_line_for_each_release_with_outcome_and_verdict(kb: Any, liftgate: Any) -> None:
    judged(kb, right=10)
    kb.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    kb.propose()
    lines = [line for line in liftgate("releases", "list", kb.name).stdout.splitlines() if "generation" in line]
    first, second = ([cell.strip() for cell in line.split("│")] for line in lines)
    assert first[1:6] == ["1", "retrieval", first[3], "rejected", "reject"]
    assert second[1:6] == ["2", "retrieval", second[3], "open", "none"]


def test_show_replays_the_verdict_from_its_rows(kb: Any, liftgate: Any) -> None:
    n = judged(kb, right=60)
    shown = liftgate("releases", "show", kb.name, n)
    assert shown.exit_code == 0, shown.output
    assert "Computed again from 120 rows of evidence" in shown.stdout
    line = next(line for line in shown.stdout.splitlines() if line.startswith("│ floor recall"))
    cells = [cell.strip() for cell in line.split("│")]
    assert cells[2:4] == ["pass", "1.000"]
    assert " to 1.000" in cells[6]
    assert cells[7] == "0.700"
    assert cells[9] == "60 in 60 families"


def test_show_refuses_a_verdict_that_its_rows_do_not_give(kb: Any, liftgate: Any) -> None:
    n = judged(kb, right=60)
    with kb.runtime.database.transaction() as connection:
        connection.execute(
            "UPDATE evidence SET value = 0 WHERE evaluation_id IN (SELECT id FROM evaluations WHERE kb = %s)", [kb.name]
        )
    result = liftgate("releases", "show", kb.name, n)
    assert (result.exit_code, "The evidence was changed" in result.stderr) == (1, True)


@pytest.mark.parametrize("n", [0, 7])
def test_unknown_release_is_an_error(kb: Any, liftgate: Any, n: int) -> None:
    kb.propose()
    result = liftgate("releases", "show", kb.name, n)
    assert (result.exit_code, f"release {n} of {kb.name}" in result.stderr) == (1, True)
