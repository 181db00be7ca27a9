"""Wheels: built from a checkout, installed outside of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build_wheel(folder: Path, checkout: Path = ROOT) -> Path:
    """The wheel of a checkout, in the folder."""
    build = ["hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run([sys.executable, "-m", *build], cwd=checkout, check=True, capture_output=True)
    (built,) = folder.glob("liftgate-*.whl")
    return built


def pip_settings(target: Path) -> dict[str, str]:
    """What makes pip install into a folder and fetch nothing: all that a wheel requires is there already."""
    return {"PIP_TARGET": str(target), "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
