"""The golden questions that candidates are judged on."""

from __future__ import annotations

from liftgate.config.block import Block
from liftgate.config.paths import ExistingPath


class Questions(Block):
    """Where the golden questions are, and which documents belong together."""

    file: ExistingPath
    """JSONL, one question a line; `liftgate.evaluation.questions` describes the fields."""
    families: ExistingPath | None = None
    """YAML: family name -> uris or globs. A document in none is a family of its own."""
