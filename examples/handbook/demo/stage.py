"""What the steps of the story play on: Airflow, the ledger, the workspace, the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.api import ENDED, Api, RunState, TaskState, wait_until
from demo.failures import DemoFailed
from demo.ledger import Ledger
from demo.show import Show
from demo.workspace import Workspace

RUN_SECONDS = 900


@dataclass(frozen=True)
class Ran:
    """A DAG run that has ended."""

    run: RunState
    tasks: list[TaskState]

    @property
    def key(self) -> str:
        """The run's id in the ledger."""
        return f"{self.run.dag_id}:{self.run.run_id}"

    @property
    def state(self) -> str:
        """success or failed."""
        return self.run.state

    def task(self, task_id: str) -> str:
        """The state of one task, for example `success`; `none` if it is not part of the run."""
        return next((task.state for task in self.tasks if task.task_id == task_id), "none")


@dataclass(frozen=True)
class Expectation:
    """What a step promised, and what came."""

    step: str
    what: str
    expected: Any
    found: Any

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return bool(self.expected == self.found)


@dataclass
class Stage:
    """The step that is being played, and everything that it needs."""

    api: Api
    ledger: Ledger
    workspace: Workspace
    show: Show
    settings: dict[str, str]
    """LIFTGATE_* variables, for Liftgate's own command."""
    require_alive: Callable[[], None]
    step: str = ""
    expectations: list[Expectation] = field(default_factory=list)
    ran: list[tuple[str, Ran]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def playing(self, step: str, title: str) -> Iterator[None]:
        """A step of the story, timed."""
        self.step, began = step, time.monotonic()
        self.show.title(f"{step}. {title}")
        yield
        self.seconds[step] = time.monotonic() - began

    def expect(self, what: str, expected: Any, found: Any) -> None:
        """Note and show whether a promise was kept. The story goes on either way."""
        self.expectations.append(Expectation(self.step, what, expected, found))
        self.show.check(what, expected, found)

    def trigger(self, dag_id: str, **params: Any) -> Ran:
        """Start a run as a person does, and watch it."""
        return self._watch(dag_id, self.api.trigger(dag_id, params))

    def by_clock(self, dag_id: str) -> Ran:
        """Let the DAG run: its schedule starts the run of the interval that ended last."""
        return self._started_by(dag_id, "scheduled", lambda: self.api.pause(dag_id, False))

    def by_event(self, dag_id: str, asset: str) -> Ran:
        """Say that an asset changed, which starts a run."""
        return self._started_by(dag_id, "asset_triggered", lambda: self.api.emit(asset))

    def liftgate(self, *arguments: str) -> str:
        """Run Liftgate's command, show its output and return it."""
        shown = " ".join(f'"{argument}"' if " " in argument else argument for argument in arguments)
        self.show.say(f"$ liftgate {shown}")
        done = subprocess.run(
            [Path(sys.executable).parent / "liftgate", *arguments],
            env={**os.environ, **self.settings},
            capture_output=True,
            text=True,
            check=False,
        )
        self.show.quote(done.stdout.strip() or done.stderr.strip())
        return done.stdout

    def quote_verdict(self, n: int) -> None:
        """The gate's own sentences on a release."""
        verdict = self.ledger.verdict(n)
        self.show.quote("\n".join(verdict.summary) if verdict else "No verdict.")

    def _started_by(self, dag_id: str, run_type: str, cause: Callable[[], None]) -> Ran:
        known = {run.run_id for run in self.api.runs(dag_id)}
        cause()
        found: list[str] = []

        def has_started() -> bool:
            runs = self.api.runs(dag_id)
            found.extend(run.run_id for run in runs if run.run_id not in known and run.run_type == run_type)
            return bool(found)

        wait_until(f"a {run_type} run of {dag_id}", has_started, 60, self.require_alive)
        return self._watch(dag_id, found[0])

    def _watch(self, dag_id: str, run_id: str) -> Ran:
        deadline = time.monotonic() + RUN_SECONDS
        with self.show.watch(dag_id) as watch:
            while True:
                run, tasks = self.api.run(dag_id, run_id), self.api.tasks(dag_id, run_id)
                watch.update(run, tasks)
                if run.state in ENDED:
                    break
                self.require_alive()
                if time.monotonic() > deadline:
                    raise DemoFailed(
                        f"Expected {dag_id} to end within {RUN_SECONDS} s, found it {run.state}. Look at it in Airflow."
                    )
                time.sleep(1)
            watch.end(run, tasks)
        ran = Ran(run, tasks)
        self.ran.append((self.step, ran))
        return ran
