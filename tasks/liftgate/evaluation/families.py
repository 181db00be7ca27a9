"""Families of documents: near-duplicates and versions of one text, which count as one in every statistic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from liftgate.errors import ConfigurationError
from liftgate.text_files import read_text


@dataclass(frozen=True)
class Families:
    """Which documents belong together."""

    patterns: Mapping[str, tuple[str, ...]]

    def of(self, uri: str) -> str:
        """The family of a document; one that no pattern names is a family of its own.

        Example: {"leave": ["hr/leave/*"]}, "hr/leave/parental.md" -> "leave"; "it/vpn.md" -> "it/vpn.md".
        """
        return next((name for name in self._claiming(uri)), uri)

    def claimed_twice(self, uris: list[str]) -> list[str]:
        """Documents that more than one family claims, with the families."""
        claims = {uri: self._claiming(uri) for uri in uris}
        return [f"{uri} ({', '.join(names)})" for uri, names in claims.items() if len(names) > 1]

    def _claiming(self, uri: str) -> list[str]:
        return [name for name, globs in self.patterns.items() if any(uri == g or fnmatchcase(uri, g) for g in globs)]


def read_families(path: str | Path | None) -> Families:
    """Read a YAML file of family name -> list of uris or globs. No file: every document is its own family."""
    if path is None:
        return Families({})
    try:
        found = yaml.safe_load(read_text(Path(path), "families")) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"Expected YAML in {path}, found: {error}. Correct the file.") from error
    sound = isinstance(found, dict) and all(
        isinstance(uris, list) and all(isinstance(uri, str) for uri in uris) for uris in found.values()
    )
    if not sound:
        raise ConfigurationError(
            f"Expected in {path} family names, each with a list of uris or globs, found something else. "
            "Write for example `leave: [hr/leave/parental.md]`."
        )
    return Families({str(name): tuple(uris) for name, uris in found.items()})
