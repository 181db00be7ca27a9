"""What all sources have in common. Kinds of sources are open: each is a module named for its `type`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from liftgate.config.block import Block

if TYPE_CHECKING:
    from liftgate.sources.connections import Connections
    from liftgate.sources.reader import Reader


class DataSet(NamedTuple):
    """A data set as OpenLineage names it: whose it is, and its name there."""

    namespace: str
    name: str


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

    def data_set(self) -> DataSet:
        """What lineage calls it. A kind whose place OpenLineage has a name for overrides this."""
        return DataSet(self.type, self.name)
