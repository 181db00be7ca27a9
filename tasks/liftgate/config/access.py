"""Who may read which document."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from liftgate.config.block import Block


class AccessRule(Block):
    """The documents whose path matches belong to these groups."""

    path: str
    """A pattern over the document's path below its source, for example `finance/**`."""
    groups: tuple[str, ...]
    """Groups that may read them. Empty: nobody may."""


Origin = Literal["rules", "source", "sidecar", "front_matter"]


class Access(Block):
    """Where groups come from. Nothing is readable by everyone by accident."""

    groups_from: tuple[Origin, ...] = Field(default=("rules",), min_length=1)
    """In order; the first that says something decides. `source`: a tag, a metadata entry or a column; `sidecar`: the
    file NAME.access.yaml beside the document NAME, with `groups: [...]`; `front_matter`: the same in the document
    itself, so whoever writes a document decides who reads it. One that is broken lets nobody read."""
    rules: tuple[AccessRule, ...] = ()
    """Path rules, in order; the first match wins."""
    default_groups: tuple[str, ...]
    """Groups of a document of which nothing says who may read it. There is no default for this default: say `[]` for
    nobody."""

    @model_validator(mode="after")
    def _rules_count(self) -> Self:
        if self.rules and "rules" not in self.groups_from:
            raise ValueError("there are rules, but groups_from does not name `rules`; add it, or remove the rules")
        return self
