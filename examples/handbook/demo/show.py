"""What the demo shows in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from demo.api import RunState, TaskState

_STYLES = {"success": "green", "failed": "red", "upstream_failed": "red", "skipped": "dim", "running": "yellow bold"}
_WORKED = ("success", "failed")


class Show:
    """The terminal. Where the output is no terminal, progress is a line for each task that ends."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = 120

    def title(self, text: str) -> None:
        """The headline of a step."""
        self.console.print(f"\n[bold]{escape(text)}")

    def say(self, text: str) -> None:
        """A line that tells what happens."""
        self.console.print(escape(text))

    def quote(self, text: str) -> None:
        """Words of Liftgate itself."""
        for line in text.splitlines():
            self.console.print(f"  [cyan]|[/] {escape(line)}")

    def check(self, what: str, expected: Any, found: Any) -> None:
        """Whether a step did what it promised."""
        if expected == found:
            self.console.print(f"  [green]✓[/] {escape(what)}: {escape(_plain(found))}")
        else:
            self.console.print(
                f"  [red bold]✗ {escape(what)}: expected {escape(_plain(expected))}, found {escape(_plain(found))}"
            )

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table with lines between the rows."""
        table = Table(title=title, title_justify="left", title_style="bold", show_lines=True)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)

    def watch(self, dag_id: str) -> Watch:
        """Progress of one run."""
        return Watch(self.console, dag_id)


class Watch(AbstractContextManager["Watch"]):
    """Live states of a run's tasks, replaced at the end by one line."""

    def __init__(self, console: Console, dag_id: str):
        self._console, self._dag_id = console, dag_id
        self._live = Live(console=console, transient=True, refresh_per_second=4) if console.is_terminal else None
        self._told: set[str] = set()

    def __enter__(self) -> Watch:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, run: RunState, tasks: Sequence[TaskState]) -> None:
        """Show how it stands."""
        if self._live:
            self._live.update(_progress(self._dag_id, run, tasks))
            return
        for task in tasks:
            if task.state in _WORKED and task.name not in self._told:
                self._told.add(task.name)
                self._console.print(f"    {task.name} {task.state} {task.seconds:.1f} s")

    def end(self, run: RunState, tasks: Sequence[TaskState]) -> None:
        """One line that stays: how it ended, and where the time went."""
        if self._live:
            self._live.stop()
            self._live = None
        colour = "green" if run.state == "success" else "red"
        slow = ", ".join(f"{task.name} {task.seconds:.0f} s" for task in slowest(tasks))
        self._console.print(f"  [{colour}]{run.state}[/] {self._dag_id} after {run.seconds:.0f} s  [dim]{escape(slow)}")


def slowest(tasks: Sequence[TaskState], count: int = 4) -> list[TaskState]:
    """The tasks that took longest, of a second or more."""
    found = sorted(tasks, key=lambda task: -task.seconds)
    return [task for task in found if task.seconds >= 1][:count]


def _progress(dag_id: str, run: RunState, tasks: Sequence[TaskState]) -> Table:
    table = Table(title=f"{dag_id}  {run.state}  {run.seconds:.0f} s", title_justify="left", box=None, pad_edge=True)
    for column in ("task", "state", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left", min_width=10)
    for task in tasks:
        style = _STYLES.get(task.state, "dim")
        table.add_row(task.name, f"[{style}]{task.state}", f"{task.seconds:.0f}" if task.seconds else "")
    return table


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
