"""Where documents come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from liftgate.config.block import Block
from liftgate.config.paths import ExistingPath


class FolderSource(Block):
    """A folder that every worker can read."""

    type: Literal["folder"] = "folder"
    name: str = "documents"
    """The source's name: half of a document's identity, so renaming a source re-indexes it."""
    path: ExistingPath
    """The folder, relative to this file."""
    include: tuple[str, ...] = ("**/*",)
    """Patterns of the paths to list. A `**` matches any number of folders."""
    doc_id_prefix: str = ""
    """Put before the citation ids of this source; needed where a knowledge base has several sources."""


class S3Source(Block):
    """A bucket of an S3-compatible store, read with the credentials of the environment (extra `s3fs`)."""

    type: Literal["s3"] = "s3"
    name: str = "documents"
    """The source's name: half of a document's identity, so renaming a source re-indexes it."""
    bucket: str
    """Name of the bucket."""
    prefix: str = ""
    """Only objects whose key begins with this."""
    include: tuple[str, ...] = ("**/*",)
    """Patterns of the paths below the prefix to list."""
    doc_id_prefix: str = ""
    """Put before the citation ids of this source; needed where a knowledge base has several sources."""


SourceBlock = Annotated[FolderSource | S3Source, Field(discriminator="type")]
