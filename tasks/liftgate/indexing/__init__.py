"""Work a plan off: documents become rows of an open generation, which is then closed."""

from liftgate.indexing.close_generation import close_generation, compare_ids
from liftgate.indexing.index_changes import index_changes

__all__ = ["close_generation", "compare_ids", "index_changes"]
