"""Paths in a configuration file: relative to that file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def _beside_the_file(value: str, info: ValidationInfo) -> str:
    """Absolute, while a file is read; unchanged when a frozen configuration is loaded."""
    folder = (info.context or {}).get("folder")
    return value if folder is None else str((Path(folder) / value).resolve())


def _existing(value: str, info: ValidationInfo) -> str:
    path = _beside_the_file(value, info)
    if info.context and not Path(path).exists():
        raise ValueError(f"there is no {path}; create it, or correct the path (it is relative to the file)")
    return path


PathBeside = Annotated[str, AfterValidator(_beside_the_file)]
"""A file or folder, written relative to the configuration file that names it. It may be a mount that is away."""
ExistingPath = Annotated[str, AfterValidator(_existing)]
"""The same, of the configuration itself: it has to be there."""
