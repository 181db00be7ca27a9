"""Sources list their documents and read one."""

from liftgate.sources.identity import Document, Listed, doc_id
from liftgate.sources.source import Source, source_for

__all__ = ["Document", "Listed", "Source", "doc_id", "source_for"]
