"""Connections to index servers, made when the first collection asks for one and closed with the process."""

from __future__ import annotations

import weakref
from functools import cached_property
from typing import TYPE_CHECKING

from liftgate.settings import Settings

if TYPE_CHECKING:
    from weaviate import WeaviateClient


class Servers:
    """What an installation's settings lead to."""

    def __init__(self, settings: Settings):
        self.settings = settings

    @cached_property
    def weaviate(self) -> WeaviateClient:
        """The Weaviate server. Raises ConfigurationError or IndexUnavailable."""
        from liftgate.index.weaviate.client import connect

        client = connect(self.settings)
        weakref.finalize(self, client.close)
        return client
