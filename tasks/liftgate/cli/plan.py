"""`liftgate plan`: what would a run do and cost?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from liftgate.cli.session import run_id
from liftgate.config.reading import read_knowledge_base
from liftgate.plan.dry_run import Forecast, dry_run
from liftgate.runs import Allowances, Frozen, Run, Scope

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

MEANING = {
    "new": "not indexed yet",
    "changed": "listed with another version hint",
    "again": "unchanged, to be parsed and cut again by changed settings",
    "gone": "indexed, and not listed any more",
    "same": "unchanged, not opened",
}
KINDS = {
    "index": "A run would write a new generation and let it be judged.",
    "verify": "A run would write nothing and only judge what is indexed.",
    "nothing": "A run would have nothing to do",
}


def forecast(runtime: Runtime, file: Path) -> Forecast:
    """What a scheduled run over that file would do now."""
    config = read_knowledge_base(file)
    return dry_run(runtime, Run(config.name, run_id(), Frozen(knowledge_base=config), Scope(), Allowances()))


def lines(found: Forecast) -> Iterator[Any]:
    """Text and tables for the terminal."""
    table = Table("documents", "number", "meaning")
    for change, meaning in MEANING.items():
        table.add_row(change, str(found.changes.get(change, 0)), meaning)
    table.add_row("wider", str(found.workload.widenings), "become readable by more groups")
    table.add_row("quarantined", str(found.quarantined), "set aside by earlier runs, with a reason")
    yield table
    yield KINDS[found.kind] + (f": {found.reason}" if found.reason else "")
    yield from [found.cost, "Texts that were embedded before cost nothing again."] if found.kind == "index" else []
    yield f"It would be stopped:\n{found.brake}" if found.brake else "No brake would hold it."
