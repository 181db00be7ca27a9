from __future__ import annotations

import re
from typing import Any

from liftgate.database import queries

TABLES = ("runs", "listings", "listed_documents", "document_access", "plans", "generations", "manifest", "chunks")


def stored(kb: Any) -> dict[str, list[dict[str, Any]]]:
    """Everything that a run might have written."""
    with kb.runtime.database.transaction() as connection:
        return {table: list(connection.execute(f"SELECT t::text AS row FROM {table} t ORDER BY 1")) for table in TABLES}


def numbers(output: str) -> dict[str, int]:
    """The table of changes."""
    cells = [[cell.strip() for cell in line.split("│")] for line in output.splitlines() if line.startswith("│")]
    return {row[1]: int(row[2]) for row in cells}


def test_plan_counts_changes_and_writes_nothing(kb: Any, liftgate: Any) -> None:
    kb.index()
    kb.write("leave.md", "# Leave\n\nParents receive twenty weeks.\n")
    kb.write("travel.md", None)
    kb.write("new.md", "# New\n\nSomething new.\n")
    kb.write("kept.md", "# Kept\n")
    before = stored(kb)
    result = liftgate("plan", kb.file)
    assert result.exit_code == 0, result.output
    found = numbers(result.stdout)
    assert (found["new"], found["changed"], found["gone"], found["same"]) == (2, 1, 1, 0)
    assert "open 3 documents" in result.stdout
    assert "No brake would hold it." in result.stdout
    assert stored(kb) == before


def test_plan_of_a_first_run_opens_everything(kb: Any, liftgate: Any) -> None:
    result = liftgate("plan", kb.file)
    assert numbers(result.stdout)["new"] == 2
    assert "A run would write a new generation" in result.stdout


def test_plan_shows_the_brake_with_its_remedy_and_the_price(kb: Any, liftgate: Any) -> None:
    kb.index()
    kb.write_settings(brakes={"max_removed_share": 0.1, "price_per_million_tokens": 1_000_000})
    kb.write("travel.md", None)
    result = liftgate("plan", kb.file)
    assert result.exit_code == 0
    assert "allow_removals_up_to: 1" in result.stdout
    kb.write("big.md", "word " * 400)
    assert "500.00 at the configured price" in liftgate("plan", kb.file).stdout


def test_plan_counts_documents_that_would_become_wider(kb: Any, liftgate: Any) -> None:
    kb.index()
    kb.write_settings(access={"default_groups": ["staff", "guests"]})
    result = liftgate("plan", kb.file)
    assert numbers(result.stdout)["wider"] == 2
    with kb.runtime.database.transaction() as connection:
        assert queries().access_of(connection, kb=kb.name, source="documents", uri="leave.md")["groups"] == ["staff"]


def test_plan_says_why_there_is_nothing_to_do(kb: Any, liftgate: Any, promoted: Any) -> None:
    promoted(kb.runtime, kb.name, kb.propose())
    result = liftgate("plan", kb.file)
    assert "nothing to do: live is release 1" in result.stdout


def test_plan_of_unchanged_sources_that_wait_for_a_verdict_only_judges(kb: Any, liftgate: Any) -> None:
    kb.propose()
    assert "only judge" in liftgate("plan", kb.file).stdout


def test_after_a_listing_that_broke_off_nothing_is_foretold(kb: Any, liftgate: Any) -> None:
    kb.index()
    kb.write_settings(
        ingestion={"source": {"type": "s3", "bucket": "no-such-bucket"}, "embeddings": {}},
    )
    answer = liftgate("plan", kb.file)
    assert answer.exit_code != 0
    assert "one that broke off" in answer.stderr
    assert "gone" not in answer.stdout


def test_documents_of_unknown_size_are_told_beside_those_of_known_ones(kb: Any, liftgate: Any) -> None:
    kb.write("nothing-told.md", "")
    said = liftgate("plan", kb.file).stdout
    assert re.search(r"open 3 documents and embed about [1-9]\d* tokens, and those of 1 documents of which no", said)


def test_documents_that_are_set_aside_are_named_with_their_reasons(kb: Any, liftgate: Any) -> None:
    kb.write("broken.md", b"\xff\xfe\xfa")
    kb.index()
    said = liftgate("plan", kb.file).stdout
    assert numbers(said)["quarantined"] == 1
    assert "broken.md of source documents: Expected broken.md" in said


def test_of_many_documents_that_are_set_aside_the_first_are_named(kb: Any, liftgate: Any) -> None:
    for number in range(23):
        kb.write(f"broken-{number:02}.md", b"\xff\xfe\xfa")
    kb.index()
    said = liftgate("plan", kb.file).stdout
    assert ("broken-19.md of source" in said, "broken-20.md of source" in said) == (True, False)
    assert said.rstrip().endswith("and 3 more")
