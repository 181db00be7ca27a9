"""Where documents come from. Kinds of sources are open: each is a module named for its `type`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, PlainValidator, SerializeAsAny, ValidationError, ValidationInfo

from liftgate.config.block import Block
from liftgate.errors import ConfigurationError

if TYPE_CHECKING:
    from liftgate.sources.connections import Connections
    from liftgate.sources.source import Reader


class SourceBlock(Block):
    """What all kinds have in common. A kind is a subclass of this with its own settings, and `open`."""

    type: str = ""
    """The kind: folder, s3, ... or the name of a module of your own in `sources/`."""
    name: str = "documents"
    """The source's name: half of a document's identity, so renaming a source re-indexes it."""
    include: tuple[str, ...] = ("**/*",)
    """Patterns of the paths to list. A `**` matches any number of folders."""
    doc_id_prefix: str = ""
    """Put before the citation ids of this source; needed where a knowledge base has several sources."""
    list_on_event: bool = True
    """Whether an event makes a run list the whole source. False: its events name the documents to look at."""
    kind_file: str = ""
    """Filled in by us: the file of a kind of your own, so that every task of a run finds it."""

    def open(self, connections: Connections) -> Reader:
        """What lists and reads. Reaches no server yet: connections are resolved at first use."""
        raise NotImplementedError(f"{type(self).__name__} has no open()")


class UnavailableSource(SourceBlock):
    """A source of a stored configuration whose kind is gone or takes other settings by now.

    Going back to an earlier release must not fail for that; only listing and reading do.
    """

    model_config = ConfigDict(extra="allow")

    def open(self, connections: Connections) -> Reader:
        """Say what is wrong."""
        from liftgate.sources.finding import find_kind

        find_kind(self.type, self.kind_file)
        raise ConfigurationError(
            f"Expected the settings with which the run began to fit the kind {self.type} of source {self.name}, found "
            "that it takes others now. Start a new run, which reads the file again."
        )


def _of_its_kind(value: Any, info: ValidationInfo) -> SourceBlock:
    """Strict while a file is read, whose folder is known then; a stored configuration loads in any case."""
    from liftgate.sources.finding import find_kind

    if isinstance(value, SourceBlock):
        return value
    if not isinstance(value, dict):
        raise ValueError("expected keys and values, beginning with `type`")
    folder = (info.context or {}).get("folder")
    if folder and "kind_file" in value:
        raise ValueError("`kind_file` cannot be set: remove it, and put the kind into the folder `sources` as TYPE.py")
    try:
        kind = find_kind(value.get("type"), value.get("kind_file", ""), folder)
        return kind.block.model_validate({**value, "kind_file": kind.file}, context=info.context)
    except ConfigurationError as error:
        if folder is None:
            return UnavailableSource.model_validate(value)
        raise ValueError(str(error)) from error
    except ValidationError:
        if folder is None:
            return UnavailableSource.model_validate(value)
        raise


AnySource = SerializeAsAny[Annotated[SourceBlock, PlainValidator(_of_its_kind)]]
"""A block under `sources:`, of whatever kind its `type` says."""
