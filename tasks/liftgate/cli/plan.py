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


def forecast(runtime: Runtime, file: Path) -> Forecast:
    """What a scheduled run over that file would do now."""
    config = read_knowledge_base(file)
    return dry_run(runtime, Run(config.name, run_id(), Frozen(knowledge_base=config), Scope(), Allowances()))


def lines(found: Forecast) -> Iterator[Any]:
    """Text and tables for the terminal."""
    table = Table("documents", "number", "meaning")
    for change, number, meaning in found.counts():
        table.add_row(change, str(number), meaning)
    yield table
    yield from found.verdict()
