"""Patterns of paths, as `include` and access rules have them."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def path_pattern(glob: str) -> re.Pattern[str]:
    """A path pattern as a regular expression: `*` stays within a folder, `**` crosses folders.

    Example: `finance/**` matches `finance/2025/budget.md` and not `hr/finance.md`.
    """
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces) + r"\Z")
