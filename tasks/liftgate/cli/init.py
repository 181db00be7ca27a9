"""`liftgate init`: the few files that a team's DAG bundle needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
PYTHON_TEMPLATE = ".py.txt"
"""Templates of DAGs are no Python files here, so that no tool takes them for a part of the package."""


def write_files(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write each file that is missing, and yield its path with whether it was written. Nothing is overwritten."""
    for template in sorted(TEMPLATES.rglob("*")):
        if template.is_file():
            path = folder / _target(template)
            yield path, _write(path, template.read_text(encoding="utf-8"))


def _target(template: Path) -> Path:
    relative = template.relative_to(TEMPLATES)
    if relative.name.endswith(PYTHON_TEMPLATE):
        return relative.with_name(relative.name.removesuffix(".txt"))
    return relative


def _write(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
