"""What a run over a knowledge base costs when 0, 1 and 10 % of 2,000 documents have changed.

    python benchmarks/reindex.py            a table: documents opened, chunks embedded, seconds for each step

The documents are made here, the embedder and the index are the real ones of the local profile. The first row is the
first index of all documents, as the limit that every other row is compared with.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from liftgate.access import apply_access
from liftgate.indexing import close_generation, index_changes
from liftgate.local.postgres import started
from liftgate.plan import newest_plan, plan_changes
from liftgate.runs import Allowances, Run, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate.sources.listing import list_sources
from liftgate.turns import release_turn, take_turn

ROOT = Path(__file__).parent.parent
DOCUMENTS = 2000
SHARES = (0.0, 0.01, 0.10)

CONFIGURATION = """
name: benchmark
ingestion:
  source: {type: folder, path: documents}
access: {default_groups: [staff]}
questions: {file: questions.jsonl}
answers: {prompt: prompt.md}
"""


def main() -> None:
    """Index, change, index again, and print the table."""
    table = Table(title=f"{DOCUMENTS:,} documents, pgvector, MiniLM on this machine")
    for column in (
        "changed",
        "opened",
        "embedded",
        "list + access s",
        "plan s",
        "index s",
        "close s",
        "of the first run",
    ):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="liftgate-benchmark-") as folder:
        work = Path(folder)
        with started(work / "postgres") as server:
            runtime = _prepare(work, server.create_database("liftgate", owner="liftgate"))
            first = _row(table, runtime, work, "first run", None)
            for share in SHARES:
                _change(work / "documents", share)
                _row(table, runtime, work, f"{share:.0%}", first)
    Console().print(table)


def _prepare(work: Path, url: str) -> Runtime:
    (work / "benchmark.yaml").write_text(CONFIGURATION)
    (work / "prompt.md").write_text("---\nrefusal: No.\n---\n$context\n$question\n")
    (work / "questions.jsonl").write_text(
        '{"id": "q", "question": "What?", "family": "f", "expected": "refuse", "why": "absent"}\n'
    )
    (work / "documents").mkdir()
    for number in range(DOCUMENTS):
        (work / "documents" / f"{number:04}.md").write_text(_text(number, 0))
    runtime = Runtime(Settings(database_url=url, files_url=str(work / "files"), models_dir=str(ROOT / ".models")))
    runtime.database.upgrade()
    return runtime


def _text(number: int, edition: int) -> str:
    facts = " ".join(f"Room {number}-{place} holds {number * 7 + place + edition} seats." for place in range(6))
    return f"# Building {number}\n\n{facts}\n"


def _change(documents: Path, share: float) -> None:
    for number in range(int(DOCUMENTS * share)):
        (documents / f"{number:04}.md").write_text(_text(number, int(share * 1000)))


def _row(table: Table, runtime: Runtime, work: Path, name: str, first: float | None) -> float:
    run = freeze_configuration(
        runtime, work / "benchmark.yaml", f"benchmark:{name}", Scope(), Allowances(opened=DOCUMENTS)
    )
    seconds, counts = _timed_run(runtime, run)
    total = sum(seconds)
    ratio = f"{total / first:.3f}" if first else "1"
    cells = [f"{second:.2f}" for second in seconds]
    table.add_row(name, str(counts.get("opened", 0)), str(counts.get("embedded", 0)), *cells, ratio)
    return total


def _timed_run(runtime: Runtime, run: Run) -> tuple[list[float], dict[str, Any]]:
    with redirect_stdout(StringIO()):
        listing = _seconds(lambda: (list_sources(runtime, run), apply_access(runtime, run)))[0]
        take_turn(runtime, run)
        planning, batches = _seconds(lambda: plan_changes(runtime, run))
        indexing = _seconds(lambda: [index_changes(runtime, run, batch) for batch in batches])[0]
        closing, counts = _seconds(lambda: close_generation(runtime, run))
        release_turn(runtime, run)
    with runtime.database.transaction() as connection:
        wrote = newest_plan(connection, run.kb, run.run_id).kind == "index"
    return [listing, planning, indexing, closing], counts if wrote else {}


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
