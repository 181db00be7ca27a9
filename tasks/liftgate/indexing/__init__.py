"""Work a plan off: documents become rows of an open generation, which is then closed."""

from liftgate.indexing.close_generation import close_generation
from liftgate.indexing.index_changes import index_changes

__all__ = ["close_generation", "index_changes"]
