"""Canaries without readers: what would have become of their requests is told in one go."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from trained_adapter import adapter_run, better, stored_tuning_set, trained

from liftgate.releases.canary import running_canary
from liftgate.releases.canary_steps import judge_canary, start_canary
from liftgate.releases.promotion import decide
from liftgate.releases.rollback import resume, roll_back
from liftgate.releases.serving import Outcome, report_outcomes, side_of
from liftgate.runs import Run, freeze_as_before
from liftgate.training.adapters import register_adapter

HALF: dict[str, Any] = {"share": 0.5, "min_outcomes": 200, "margin": 0.1}
READERS = 600


def better_adapter(
    judged: Any, canary: dict[str, Any] | None = HALF, name: str = "one", file: str = "small"
) -> tuple[Run, int]:
    """A run up to a verdict `promote` on an adapter, and the candidate."""
    run = adapter_run(judged, file={"name": file, "canary": canary})
    digest = stored_tuning_set(judged, f"set-{name}")
    folder = judged.folder / "trained" / name
    folder_uri = str(folder) if folder.exists() else trained(judged, name, digest)
    candidate = register_adapter(judged.runtime, run, digest, folder_uri)
    assert judged.compare_answers(run, candidate, better) == "promote"
    return run, candidate


def started(judged: Any, **given: Any) -> tuple[Run, int]:
    """A canary that runs: the run that started it, and the candidate."""
    run, candidate = better_adapter(judged, **given)
    assert decide(judged.runtime, run, candidate) == "start_canary"
    assert start_canary(judged.runtime, run, candidate) != "superseded"
    return run, candidate


def reported(judged: Any, canary: float, live: float, readers: int = READERS) -> int:
    """So many readers ask once each; the shares of good answers are those. Returns how many count."""
    with judged.runtime.database.transaction() as connection:
        running = running_canary(connection, judged.name)
    assert running
    told = []
    for number in range(readers):
        reader = f"reader {number}"
        side = side_of(running, reader)
        good = (number * 7919 % 1000) / 1000 < {"canary": canary, "live": live}[side]
        told.append(Outcome(canary=running.n, side=side, reader=reader, request=f"r{number}", good=good))
    return report_outcomes(judged.runtime, judged.name, told)


def at_the_end(judged: Any) -> datetime:
    """A moment after the running canary's time is up."""
    with judged.runtime.database.transaction() as connection:
        running = running_canary(connection, judged.name)
    assert running
    return running.until + timedelta(seconds=1)


def ended(judged: Any, candidate: int) -> tuple[Run, int]:
    """A canary whose time is up: the run that judged it, and the release that is decided about."""
    run = freeze_as_before(judged.runtime, judged.name, f"canary_{judged.name}:release-{candidate}")
    return run, judge_canary(judged.runtime, run, candidate, at_the_end(judged))


def whole_canary(judged: Any, candidate: int) -> tuple[int, str]:
    """The steps of a run of canary_small when its time is up: the release that is decided about, and the branch."""
    run, decided = ended(judged, candidate)
    return decided, judged.end(run, decided)


def running(judged: Any) -> int | None:
    """The release whose canary runs."""
    with judged.runtime.database.transaction() as connection:
        found = running_canary(connection, "small")
    return found.release if found else None


def back(judged: Any, to: int) -> None:
    roll_back(judged.runtime, "small", to, kind="drill", why="test", by="test", run_id=f"back to {to}")
    resume(judged.runtime, "small", by="test", run_id="resume")


def new_index(judged: Any) -> int:
    """A whole run of the knowledge base that promotes another index."""
    judged.write("desk-0.md", judged.text(0, f"On Mondays, {judged.runs}."))
    n, branch = judged.whole_run()
    assert branch == "promote"
    return n


def last_why(judged: Any, kind: str) -> str:
    return judged.query("SELECT why FROM events WHERE kind = %s ORDER BY n DESC LIMIT 1", kind)[0]["why"]
