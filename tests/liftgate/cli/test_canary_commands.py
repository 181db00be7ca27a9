"""A canary at the command line: outcomes are reported, and what runs and what was found is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from canaries import ended, started
from click.testing import Result
from typer.testing import CliRunner

from liftgate.cli import app
from liftgate.releases.serving import Serving, serving

Command = Callable[..., Result]


@pytest.fixture
def command(judged: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `liftgate` with these arguments and lines, on the database in which a canary of release 2 runs."""
    for name, value in judged.runtime.settings.model_dump(exclude_none=True).items():
        monkeypatch.setenv(f"LIFTGATE_{name.upper()}", json.dumps(value) if isinstance(value, dict) else str(value))
    monkeypatch.setenv("COLUMNS", "240")
    started(judged)
    return lambda *given, lines="": CliRunner().invoke(app, [str(one) for one in given], input=lines)


def served(judged: Any, reader: str) -> Serving:
    with judged.runtime.database.transaction() as connection:
        found = serving(connection, "small", reader)
    assert found
    return found


def lines(judged: Any, readers: int = 20) -> str:
    told = [(name, served(judged, name)) for name in map(str, range(readers))]
    rows = [
        {"canary": found.canary, "side": found.side, "reader": name, "request": f"r-{name}", "good": True}
        for name, found in told
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_outcomes_are_reported_from_a_file_or_a_pipe_and_count_once(
    judged: Any, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(lines(judged))
    assert command("outcomes", "small", file).stdout.startswith("20 of 20 outcomes of small were added.")
    again = command("outcomes", "small", "-", lines=lines(judged, 21) + "\n")
    assert again.stdout.startswith("1 of 21 outcomes of small were added.")


def test_a_line_that_is_no_outcome_is_named_and_nothing_is_stored(judged: Any, command: Command) -> None:
    result = command("outcomes", "small", "-", lines=lines(judged) + '{"canary": 2, "good": "perhaps"}\n')
    assert (result.exit_code, judged.count("canary_outcomes")) == (1, 0)
    assert "in line 21, found: side Field required; reader Field required" in result.stderr
    assert command("outcomes", "nowhere", "-").exit_code == 1


def test_running_canary_stands_below_the_releases_and_its_judgement_in_that_of_its_release(
    judged: Any, command: Command
) -> None:
    command("outcomes", "small", "-", lines=lines(judged))
    shown = command("releases", "list", "small").stdout
    assert "A canary of release 2 runs from " in shown
    assert "50 % of readers get its adapter. It is judged at the end." in shown
    assert "95 % bounds -" in shown
    ended(judged, 2)
    assert "A canary" not in command("releases", "list", "small").stdout
    assert "Canary: Inconclusive: the canary has " in command("releases", "show", "small", 2).stdout


def test_a_person_ends_the_canary(judged: Any, command: Command) -> None:
    given = ("releases", "end-canary", "small", 2, "--why", "readers complain")
    said = command(*given).stdout
    assert "has ended" in said
    assert "Nobody is told yet" in said
    assert judged.release(2).outcome == "rejected"
    assert served(judged, "0").side == served(judged, "1").side == "live"
    assert "No canary of release 2 of small runs." in command(*given).stdout


def test_an_answer_to_a_reader_of_the_canary_is_the_canarys(judged: Any, command: Command) -> None:
    reader = next(name for name in map(str, range(20)) if served(judged, name).side == "canary")
    asked = ("ask", "small", "How long is the leave?", "--group", "strangers")
    digest = judged.release(2).makeup.adapter.digest[:8]
    assert "Release 1 of small with the canary: generation 1, prompt " in command(*asked, "--reader", reader).stdout
    assert digest in command(*asked, "--reader", reader).stdout
    assert digest not in command(*asked).stdout
