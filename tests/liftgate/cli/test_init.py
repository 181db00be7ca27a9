from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from liftgate.cli import app
from liftgate.cli.doctor_configuration import configuration_checks
from liftgate.cli.init import TEMPLATES
from liftgate.config.reading import read_knowledge_base
from liftgate.runtime import Runtime

ROOT = Path(__file__).parents[3]


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_dags_are_those_of_this_repository() -> None:
    templates = {path.name.removesuffix(".txt"): path.read_text() for path in TEMPLATES.glob("*.py.txt")}
    assert templates == {path.name: path.read_text() for path in (ROOT / "dags").glob("*.py")}


def test_every_file_is_written_once_and_never_overwritten(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    first = CliRunner().invoke(app, ["init", str(bundle)])
    assert first.exit_code == 0, first.output
    written = files(bundle)
    assert {"knowledge_base.py", "housekeeping.py", "knowledge_bases/example.yaml"} <= set(written)
    mine = bundle / "knowledge_base.py"
    mine.write_text("# mine")
    second = CliRunner().invoke(app, ["init", str(bundle)])
    assert files(bundle) == {**written, "knowledge_base.py": "# mine"}
    assert second.stdout.count("kept") == len(written)


def test_first_knowledge_base_validates_and_passes_every_check(tmp_path: Path, shared_runtime: Runtime) -> None:
    CliRunner().invoke(app, ["init", str(tmp_path)])
    path = tmp_path / "knowledge_bases" / "example.yaml"
    assert read_knowledge_base(path).name == "example"
    said: dict[str, Any] = {what: attempt() for what, attempt in configuration_checks(shared_runtime.settings, path)}
    assert said["source documents"] == "1 documents"
    assert said["questions"] == "2, of them 1 to be refused, 2 also for generated answers"
