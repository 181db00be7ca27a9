"""Sources list their documents and read one."""

from liftgate.config.sources import SourceBlock
from liftgate.sources.identity import Document, Listed, doc_id
from liftgate.sources.source import Source

__all__ = ["Document", "Listed", "Source", "SourceBlock", "doc_id"]
