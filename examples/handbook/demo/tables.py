"""The tables at the end: what was released, by which numbers, and what it cost."""

from __future__ import annotations

from demo.show import slowest
from demo.stage import Ran, Stage
from liftgate.gate.verdict import Check, Verdict


def summary(stage: Stage) -> bool:
    """Show releases, runs and steps. Returns whether every promise was kept."""
    _releases(stage)
    _runs(stage)
    steps = " | ".join(f"{step} {seconds:.0f} s" for step, seconds in stage.seconds.items())
    stage.show.say(f"Steps: {steps} | together {sum(stage.seconds.values()):.0f} s")
    broken = [expectation for expectation in stage.expectations if not expectation.holds]
    stage.show.say(f"{len(stage.expectations) - len(broken)} of {len(stage.expectations)} promises were kept.")
    for expectation in broken:
        stage.show.check(f"{expectation.step}: {expectation.what}", expectation.expected, expectation.found)
    return not broken


def _releases(stage: Stage) -> None:
    rows, live = [], stage.ledger.live()
    seconds = {ran.key: ran.run.seconds for _, ran in stage.ran}
    for release in stage.ledger.releases():
        cost, verdict = stage.ledger.cost(release.run_id), stage.ledger.verdict(release.n)
        rows.append(
            (
                f"{release.n}{' (live)' if release.n == live else ''}",
                f"{release.component}: {release.makeup}",
                release.outcome or "open",
                _verdict(verdict),
                f"{cost.opened} opened, {cost.embedded} embedded, {seconds.get(release.run_id, 0):.0f} s",
            )
        )
    columns = ("release", "made of", "outcome", "verdict and the numbers that decided", "cost")
    stage.show.table("Releases of handbook", columns, rows)


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not judged"
    deciding = [check for check in verdict.checks if check.counts != "never" and check.lower is not None]
    decided = [check for check in deciding if check.rejects] or deciding
    return "\n".join([verdict.outcome, *(_numbers(check) for check in decided)])


def _numbers(check: Check) -> str:
    """Example: guard recall -0.312 (-0.371 to -0.254), above -0.100; 168 questions, power 0.068"""
    signed = "+" if check.other is not None else ""
    interval = f"({check.lower:{signed}.3f} to {check.upper:{signed}.3f})" if check.upper is not None else ""
    power = f", power {check.decided_margin:.3f}" if check.decided_margin is not None else ""
    needed = f", needs above {check.threshold:{signed}.3f}" if check.threshold is not None else ""
    return f"{check.name} {check.estimate:{signed}.3f} {interval}{needed}; {check.questions} questions{power}"


def _runs(stage: Stage) -> None:
    rows = [(step, ran.run.dag_id, ran.state, f"{ran.run.seconds:.0f}", _slow(ran)) for step, ran in stage.ran]
    stage.show.table("Runs", ("step", "DAG", "state", "seconds", "where the time went"), rows)


def _slow(ran: Ran) -> str:
    return ", ".join(f"{task.name} {task.seconds:.0f} s" for task in slowest(ran.tasks))
