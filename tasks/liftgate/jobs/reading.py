"""A job's manifest as a team wrote it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

from liftgate.errors import JobRefused
from liftgate.jobs.backend import Manifest


def read_manifest(given: dict[str, Any] | str, namespace: str | None = None, otherwise: str | None = None) -> Manifest:
    """The manifest as a dict of its own. `namespace` goes before the manifest's, `otherwise` stands in for it."""
    found = _parsed(given) if isinstance(given, str) else deepcopy(given)
    if not isinstance(found, dict):
        raise JobRefused(
            f"Expected a manifest with apiVersion, kind, metadata and spec, found {type(found).__name__}. "
            "Give a dict, YAML, or a path that ends in .yaml."
        )
    metadata = found["metadata"] = found.get("metadata") or {}
    metadata["namespace"] = namespace or metadata.get("namespace") or otherwise or "default"
    return found


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise JobRefused(f"Expected a manifest in YAML, found that it does not parse: {error}. Correct it.") from error
