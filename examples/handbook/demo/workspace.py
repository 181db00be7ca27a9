"""The demo's own copy of the handbook, and what happens to it, as its owners would do it."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import yaml

from demo.failures import DemoFailed

HANDBOOK = Path(__file__).resolve().parents[1]
PROJECT = HANDBOOK.parents[1]
_KEPT = "lock"


@dataclass(frozen=True)
class Workspace:
    """The folder `.demo`. Everything in it is made anew by each start."""

    root: Path

    @property
    def handbook(self) -> Path:
        """The copy, which is Airflow's DAG bundle too: the DAG files beside the configuration that they read."""
        return self.root / "handbook"

    @property
    def airflow_home(self) -> Path:
        """Airflow's logs and generated files."""
        return self.root / "airflow"

    @property
    def files(self) -> Path:
        """Tuning sets, adapters and reports."""
        return self.root / "files"

    @property
    def logs(self) -> Path:
        """Output of the processes."""
        return self.root / "logs"

    @property
    def knowledge_base(self) -> Path:
        """The configuration that the demo edits."""
        return self.handbook / "knowledge_bases" / "handbook.yaml"

    def lock(self) -> TextIO:
        """Held while a demo runs in this folder; the system gives it back even after kill -9."""
        self.root.mkdir(parents=True, exist_ok=True)
        held = (self.root / _KEPT).open("w")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoFailed(
                f"Expected no other demo in {self.root}, found one that is running. "
                "Stop it with Ctrl-C in its terminal, then start again."
            ) from error
        return held

    def make(self) -> None:
        """Remove what an earlier demo left, and copy the handbook and the project's DAG files."""
        for left in self.root.iterdir():
            if left.name != _KEPT:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        shutil.copytree(HANDBOOK, self.handbook, ignore=shutil.ignore_patterns("demo", "__pycache__"))
        for file in (PROJECT / "dags").glob("*.py"):
            shutil.copy(file, self.handbook)
        for folder in (self.airflow_home, self.files, self.logs):
            folder.mkdir()
        self._move_schedule_away()

    def change(self, name: str) -> list[dict[str, Any]]:
        """Make the changes to the documents that changes.yaml lists under a name."""
        changes: list[dict[str, Any]] = yaml.safe_load((self.handbook / "changes/changes.yaml").read_text())[name]
        for change in changes:
            getattr(self, f"_{change['kind']}")(change)
        return changes

    def put_back(self, uri: str) -> None:
        """The document as it was at the beginning."""
        shutil.copy(HANDBOOK / "documents" / uri, self.handbook / "documents" / uri)

    def edit_settings(self, **settings: dict[str, Any]) -> None:
        """Change settings below `ingestion:`, for example chunking={"chunk_size_tokens": 150}."""
        configured = self._read()
        for block, values in settings.items():
            configured["ingestion"][block].update(values)
        self._write(configured)

    def _edit(self, change: dict[str, Any]) -> None:
        target = self.handbook / "documents" / change["uri"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.handbook / "changes" / change["file"], target)

    _add = _edit

    def _rename(self, change: dict[str, Any]) -> None:
        documents = self.handbook / "documents"
        (documents / change["uri"]).rename(documents / change["to"])

    def _delete(self, change: dict[str, Any]) -> None:
        (self.handbook / "documents" / change["uri"]).unlink()

    def _narrow(self, change: dict[str, Any]) -> None:
        configured = self._read()
        configured["access"]["rules"].insert(0, {"path": change["uri"], "groups": change["groups"]})
        self._write(configured)

    def _move_schedule_away(self) -> None:
        """Nightly, but twelve hours from now: no scheduled run shall come in between the steps."""
        configured = self._read()
        configured["schedule"] = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"
        self._write(configured)

    def _read(self) -> dict[str, Any]:
        configured: dict[str, Any] = yaml.safe_load(self.knowledge_base.read_text(encoding="utf-8"))
        return configured

    def _write(self, configured: dict[str, Any]) -> None:
        # Whole or not at all: Airflow's DAG processor may read at any time.
        scratch = self.knowledge_base.with_suffix(".new")
        scratch.write_text(yaml.safe_dump(configured, sort_keys=False, allow_unicode=True), encoding="utf-8")
        scratch.replace(self.knowledge_base)
