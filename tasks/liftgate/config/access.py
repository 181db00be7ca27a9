"""Who may read which document."""

from __future__ import annotations

from liftgate.config.block import Block


class AccessRule(Block):
    """The documents whose path matches belong to these groups."""

    path: str
    """A pattern over the document's path below its source, for example `finance/**`."""
    groups: tuple[str, ...]
    """Groups that may read them. Empty: nobody may."""


class Access(Block):
    """Path rules. The first rule that matches decides; nothing is readable by everyone by accident."""

    rules: tuple[AccessRule, ...] = ()
    """In order; the first match wins."""
    default_groups: tuple[str, ...]
    """Groups of a document that no rule matches. There is no default for this default: say `[]` for nobody."""
