"""What of a broken file is right: enough to know which tasks its DAGs have."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from liftgate.config.block import Block
from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.config.reading import SafeLoader, load, read_knowledge_base
from liftgate.errors import ConfigurationError

Configured = TypeVar("Configured", bound=Block)
_REQUIRED: dict[str, Any] = {
    "ingestion": {"source": {"type": "folder", "path": "."}},
    "access": {"default_groups": ["nobody"]},
    "questions": {"file": "."},
    "answers": {"prompt": "."},
    "examples": ".",
    "training": {"base_model": "unknown", "open_groups": ["nobody"]},
}
"""What takes the place of a setting that has no default. No task of a DAG hangs on what is in it."""
_BLOCK = re.compile(r"^(?=\w)", re.MULTILINE)
_ROUNDS = 50


def stand_in(model: type[Configured], path: Path, name: str) -> Configured:
    """The file's settings but for those that are wrong. No run takes them: its first task reads the file, and fails.

    A run that is under way has its configuration in the ledger. Airflow takes every task from it that the DAG has no
    more, so the DAG of a file that broke meanwhile must have the tasks that it had. Raises ConfigurationError where
    not even the rest is valid.
    """
    values = _values(path) | {"name": name}
    for _ in range(_ROUNDS):
        try:
            found = model.model_validate(values, context={"folder": path.parent})
        except ValidationError as error:
            for mistake in error.errors():
                _leave_out(values, mistake["loc"])
        except Exception:  # of a kind of source whose code is wrong
            _leave_out(values, ("ingestion",))
        else:
            # Nothing is watched by settings that nobody wrote.
            return found.model_copy(update={"watch": None}) if isinstance(found, KnowledgeBase) else found
    raise ConfigurationError(f"Expected settings for {name} in {path}, found next to none that are valid. Correct it.")


def knowledge_base_for_wiring(path: Path | str) -> KnowledgeBase:
    """A knowledge base's file, or what of it is right, for the tasks of DAGs: whoever runs reads it whole."""
    try:
        return read_knowledge_base(path)
    except ConfigurationError:
        return stand_in(KnowledgeBase, Path(path), Path(path).stem)


def _values(path: Path) -> dict[str, Any]:
    """Keys and values of the file, or where it is no YAML, of those of its blocks that are."""
    try:
        return load(path)
    except ConfigurationError:
        blocks = _BLOCK.split(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else []
        return dict(chain.from_iterable(map(_settings, blocks)))


def _settings(block: str) -> Iterable[tuple[str, Any]]:
    try:
        values = yaml.load(block, SafeLoader)
    except yaml.YAMLError:
        return ()
    return values.items() if isinstance(values, dict) else ()


def _leave_out(values: dict[str, Any], where: tuple[int | str, ...]) -> None:
    """Remove a setting, or its whole block where it is no setting of its own or the block is not whole without it."""
    block: Any = values
    for part in where[:-1]:
        block = block.get(part) if isinstance(block, dict) else None
    if len(where) > 1 and isinstance(block, dict) and where[-1] in block:
        del block[where[-1]]
        return
    first = str(where[0]) if where else ""
    values.pop(first, None)
    if first in _REQUIRED:
        values[first] = copy.deepcopy(_REQUIRED[first])
