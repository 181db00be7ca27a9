"""What says who may read a document: path rules, its source, a file beside it, or its own front matter."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from liftgate.config.access import Access, Origin
from liftgate.errors import DocumentUnreadable
from liftgate.fingerprints import fingerprint
from liftgate.parsing.decoding import decode
from liftgate.sources.patterns import path_pattern

READER_VERSION = 2
"""Raised when the same bytes say something else: what documents said is then read again by the next listing."""
SIDECAR_SUFFIXES = (".access.yaml", ".access.yml")
SIDECAR_BYTES = 65_536
FRONT_MATTER_ENDINGS = (".md", ".markdown")

# Wider than what the parser takes for front matter: what was meant to restrict must not count as silent.
_FRONT_MATTER = re.compile(
    r"\A\s*(?P<comments>(?><!--.*?-->\s*)*)---[ \t]*\n(?P<block>.*?)^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE
)
_LIKE_FRONT_MATTER = re.compile(
    r"""\A\s*(?><!--.*?-->\s*)*(?:---|\+\+\+).*?^[^\S\n]*(?:[-?{,][^\S\n]*)*["']?groups["']?\s*[:=]""",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)

_SIDECAR = re.compile(r"\.access\.ya?ml\Z", re.IGNORECASE)

Groups = tuple[str, ...]


class Words(NamedTuple):
    """What a sidecar or a front matter says. Groups are None where it says nothing; with a problem nobody may read."""

    groups: Groups | None = None
    problem: str | None = None


def reading(access: Access) -> str:
    """Fingerprint of the way in which documents and sidecars are read."""
    return fingerprint({"version": READER_VERSION, "groups_from": access.groups_from})


class GroupRules:
    """The access block, looked up once: the first origin in its order that says something decides."""

    def __init__(self, access: Access):
        self._order = access.groups_from
        self._rules = tuple((path_pattern(rule.path), rule.groups) for rule in access.rules)
        self._default = access.default_groups

    def is_sidecar(self, uri: str) -> bool:
        """Whether it is a file that only says who may read another."""
        return "sidecar" in self._order and _SIDECAR.search(uri) is not None

    def decided(self, uri: str, of_source: Groups | None) -> Groups | None:
        """The groups, as far as no document has to be opened for them. None: one has to be."""
        for origin in self._order:
            if origin in ("sidecar", "front_matter"):
                return None
            if (groups := self._cheap(origin, uri, of_source)) is not None:
                return _sorted(groups)
        return _sorted(self._default)

    def decide(self, uri: str, of_source: Groups | None, words: dict[Origin, Words]) -> Words:
        """What decides: the first origin that says something, or has a problem, else the default."""
        for origin in self._order:
            found = words.get(origin, Words(self._cheap(origin, uri, of_source)))
            if found.problem is not None:
                return found
            if found.groups is not None:
                return Words(_sorted(found.groups))
        return Words(_sorted(self._default))

    def _cheap(self, origin: Origin, uri: str, of_source: Groups | None) -> Groups | None:
        if origin == "rules":
            return next((groups for pattern, groups in self._rules if pattern.match(uri)), None)
        return of_source if origin == "source" else None


def document_of(uri: str) -> str:
    """The document of a sidecar, in whatever case its ending is written.

    Example: leave.md.ACCESS.yml -> leave.md; leave.md -> leave.md
    """
    return _SIDECAR.sub("", uri)


def words_of_sidecar(data: bytes, uri: str) -> Words:
    """Example: b"groups: [hr, board]" -> groups ("board", "hr")"""
    try:
        return _words(decode(data, uri), uri)
    except DocumentUnreadable as error:
        return Words(problem=str(error))


def words_of_document(data: bytes, uri: str) -> Words:
    """What stands between the two lines of dashes at its beginning. Silent is only what has no `groups` in any form."""
    try:
        text = decode(data, uri)
    except DocumentUnreadable as error:
        return Words(problem=str(error))
    found = _FRONT_MATTER.match(text)
    said = _words(found["block"], uri, may_be_silent=True) if found else Words()
    if found and (said == Words() or not found["comments"]):
        return said
    if _LIKE_FRONT_MATTER.match(text):
        return Words(
            problem=f"Expected `groups` of {uri} in YAML between two lines of dashes at its beginning, found no such "
            "lines there."
        )
    return said


def _words(text: str, uri: str, may_be_silent: bool = False) -> Words:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return Words(problem=f"Expected YAML with `groups` in {uri}, found {_without_text(error)}. Correct it.")
    if may_be_silent and (found is None or (isinstance(found, dict) and not any(map(_is_like_groups, found)))):
        return Words()
    groups = found.get("groups") if isinstance(found, dict) else None
    if not isinstance(groups, list) or not all(isinstance(group, str) and group for group in groups):
        return Words(
            problem=f"Expected `groups` in {uri} to be a list of names, found {type(groups).__name__}. Correct it."
        )
    return Words(_sorted(groups))


def _without_text(error: Exception) -> str:
    """What is wrong and where, without the line that YAML's errors quote: it is shown, and nobody may read it."""
    mark = getattr(error, "problem_mark", None)
    return f"a mistake in line {mark.line + 1} of it" if mark else type(error).__name__


def _is_like_groups(key: Any) -> bool:
    return str(key).strip().lower() == "groups"


def _sorted(groups: Any) -> Groups:
    return tuple(sorted(set(groups)))
