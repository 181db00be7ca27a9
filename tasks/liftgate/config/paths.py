"""Paths in a configuration file: relative to that file, and there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def _beside_the_file(value: str, info: ValidationInfo) -> str:
    """Absolute, and checked to exist, while a file is read; unchanged when a frozen configuration is loaded."""
    folder = (info.context or {}).get("folder")
    if folder is None:
        return value
    path = (Path(folder) / value).resolve()
    if not path.exists():
        raise ValueError(f"there is no {path}; create it, or correct the path (it is relative to the file)")
    return str(path)


ExistingPath = Annotated[str, AfterValidator(_beside_the_file)]
"""A file or folder, written relative to the configuration file that names it."""
