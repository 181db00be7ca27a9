"""Read configuration files. Every mistake of a file is told at once, each with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from liftgate.config.adapter import Adapter
from liftgate.config.block import Block, purposes
from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.errors import ConfigurationError
from liftgate.text_files import read_text

# The same safe loader, in C where libyaml is there: a DAG file is parsed at every start of a task.
SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Configured = TypeVar("Configured", bound=Block)


def read_knowledge_base(path: Path | str) -> KnowledgeBase:
    """The validated configuration of a knowledge base. Raises ConfigurationError with all that is wrong."""
    return _read(KnowledgeBase, Path(path))


def read_adapter(path: Path | str) -> Adapter:
    """The validated configuration of an adapter. Raises ConfigurationError with all that is wrong."""
    return _read(Adapter, Path(path))


def _read(model: type[Configured], path: Path) -> Configured:
    values = load(path)
    try:
        return model.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        mistakes = error.errors()
        lines = [f"{path}: {_explain(one, model)}" for one in mistakes if not _only_follows(one, mistakes)]
        raise ConfigurationError("\n".join([f"{len(lines)} mistake(s) in {path.name}:", *lines])) from error


def load(path: Path) -> dict[str, Any]:
    """The keys and values of a file, not validated. Raises ConfigurationError where it is no YAML."""
    try:
        values = yaml.load(read_text(path, "a configuration"), SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"Expected YAML in {path}, found what is not: {error}. Correct the file.") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"Expected keys and values in {path}, found {type(values).__name__}. See README.md.")
    return values


def _only_follows(mistake: ErrorDetails, mistakes: list[ErrorDetails]) -> bool:
    """Whether a list counts as too short only because an entry of it is wrong, which is told already."""
    where = mistake["loc"]
    inside = [other for other in mistakes if other["loc"][: len(where)] == where and other["loc"] != where]
    return mistake["type"] == "too_short" and bool(inside)


def _explain(mistake: ErrorDetails, model: type[Block]) -> str:
    """One line: where, what was expected and found, and what the setting is for.

    Example: ingestion.chunking.chunk_size_tokens: Input should be a valid integer, found 'many'. (Tokens in a chunk.)
    """
    where = ".".join(str(part) for part in mistake["loc"])
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        return f"{where}: there is no such setting. Correct the spelling or remove it."
    if mistake["type"] == "missing":
        return f"{where}: this setting is required. Add it.{_purpose(mistake, model)}"
    found = "" if mistake["type"] == "value_error" else f", found {mistake['input']!r}"
    return f"{where}: {message}{found}.{_purpose(mistake, model)}"


def _purpose(mistake: ErrorDetails, model: Any) -> str:
    """The description of the setting at fault, in brackets, where the path leads to one."""
    description = None
    for part in mistake["loc"]:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return ""
        description, model = purposes(model).get(str(part)), field.annotation
    return f" ({description})" if description else ""
