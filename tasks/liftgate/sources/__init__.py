"""Sources list their documents and read one."""

from liftgate.config.sources import SourceBlock
from liftgate.sources.identity import Document, Listed, doc_id
from liftgate.sources.reading import gone, require_same

__all__ = ["Document", "Listed", "SourceBlock", "doc_id", "gone", "require_same"]
