"""A block under `sources:`, read as the kind that its `type` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, PlainValidator, SerializeAsAny, ValidationError, ValidationInfo

from liftgate.config.sources import SourceBlock
from liftgate.errors import ConfigurationError
from liftgate.sources.finding import find_kind

if TYPE_CHECKING:
    from liftgate.sources.connections import Connections
    from liftgate.sources.reader import Reader


class UnavailableSource(SourceBlock):
    """A source of a stored configuration whose kind is gone or takes other settings by now.

    Going back to an earlier release must not fail for that; only listing and reading do.
    """

    model_config = ConfigDict(extra="allow")

    def open(self, connections: Connections) -> Reader:
        """Say what is wrong."""
        find_kind(self.type, self.kind_file)
        raise ConfigurationError(
            f"Expected the settings with which the run began to fit the kind {self.type} of source {self.name}, found "
            "that it takes others now. Start a new run, which reads the file again."
        )


def _of_its_kind(value: Any, info: ValidationInfo) -> SourceBlock:
    """Strict while a file is read, whose folder is known then; a stored configuration loads in any case."""
    if isinstance(value, SourceBlock):
        return value
    if not isinstance(value, dict):
        raise ValueError("expected keys and values, beginning with `type`")
    folder = (info.context or {}).get("folder")
    if folder is not None and "kind_file" in value:
        raise ValueError("`kind_file` is filled in by us; remove it, and put the file into `sources/`")
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
