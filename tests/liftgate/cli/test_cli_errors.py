from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from liftgate.cli import app
from liftgate.database import Database

HEAVY = ("torch", "psycopg", "pydantic", "yaml", "numpy", "yoyo", "great_expectations", "liftgate.runtime")


def test_help_imports_nothing_heavy() -> None:
    """A command line that thinks for seconds before it says what it can do is not used."""
    program = f"import sys, liftgate.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_settings_are_one_message_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFTGATE_DATABASE_URL", raising=False)
    monkeypatch.delenv("LIFTGATE_FILES_URL", raising=False)
    result = CliRunner().invoke(app, ["releases", "list", "small"])
    assert result.exit_code == 2
    assert "LIFTGATE_DATABASE_URL" in result.stderr
    assert "LIFTGATE_FILES_URL" in result.stderr
    assert "Traceback" not in result.output


def test_wrong_setting_is_named(liftgate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTGATE_CPU_THREADS", "many")
    result = liftgate("releases", "list", "small")
    assert (result.exit_code, "LIFTGATE_CPU_THREADS" in result.stderr) == (2, True)


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "not an address"])
def test_database_that_does_not_answer_is_said(liftgate: Any, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LIFTGATE_DATABASE_URL", url)
    result = liftgate("releases", "list", "small")
    assert (result.exit_code, "LIFTGATE_DATABASE_URL" in result.stderr) == (2, True)


def test_database_without_tables_says_how_to_make_them(
    liftgate: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFTGATE_DATABASE_URL", database_url)
    result = liftgate("releases", "list", "small")
    assert (result.exit_code, "liftgate db upgrade" in result.stderr) == (2, True)
    assert liftgate("db", "upgrade").stdout.startswith("Applied: 0001_initial")
    assert liftgate("db", "upgrade").stdout == "The database is up to date.\n"


def test_unknown_knowledge_base_is_exit_code_1(liftgate: Any) -> None:
    for arguments in (["releases", "list", "nothing"], ["ask", "nothing", "Why?", "--group", "staff"]):
        result = liftgate(*arguments)
        assert (result.exit_code, "kb_nothing" in result.stderr) == (1, True)


def test_gate_has_the_exit_codes_of_its_report(liftgate: Any, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    good = (
        '{"question": "q", "context": "Sixteen weeks of leave.", "answer": '
        '{"summary": "Sixteen weeks.", "risk": "none", "next_steps": [], "citations": ["doc:leave.md"]}}\n'
    )
    for text, code in ((good, 0), (good.replace("Sixteen weeks of leave.", "Nothing."), 1), ("", 2), ("broken", 2)):
        rows.write_text(text)
        assert liftgate("gate", rows).exit_code == code


def test_database_of_an_earlier_version_says_how_to_upgrade_it(
    kb: Any, liftgate: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(database_url)
    database.upgrade()
    with database.transaction() as connection:
        connection.execute("ALTER TABLE said_groups DROP COLUMN reading")
    monkeypatch.setenv("LIFTGATE_DATABASE_URL", database_url)
    result = liftgate("plan", kb.file)
    assert (result.exit_code, "liftgate db upgrade" in result.stderr) == (2, True)
