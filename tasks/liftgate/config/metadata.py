"""`metadata:` what stands beside a chunk's text in the index."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from liftgate.config.block import Block

Name = Literal["source_uri", "doc_id", "section", "updated_at", "acl_group"]
ALL_NAMES: tuple[Name, ...] = ("source_uri", "doc_id", "section", "updated_at", "acl_group")


class Metadata(Block):
    """The fields of a chunk that a hit carries."""

    include: tuple[Name, ...] = Field(default=ALL_NAMES, min_length=1)
    """Fields of each hit. Access is enforced by acl_group whether it is shown or not."""
