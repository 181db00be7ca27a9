"""The manifests of deploy/ as documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
DEPLOY = Path(__file__).parents[2] / "deploy"


def documents(folder: str = ".") -> list[Document]:
    """What `kubectl apply --kustomize` would send of a folder of deploy/."""
    names = yaml.safe_load((DEPLOY / folder / "kustomization.yaml").read_text())["resources"]
    return [one for name in names for one in yaml.safe_load_all((DEPLOY / folder / name).read_text())]


def the(kind: str, folder: str = ".") -> Document:
    """The one document of this kind."""
    (found,) = [one for one in documents(folder) if one["kind"] == kind]
    return found
