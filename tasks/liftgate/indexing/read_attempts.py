"""How often a document is asked for: a source that stumbles is asked again, one that gives nothing only once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from liftgate.errors import DocumentChanged, KindFaulty, SourceError
from liftgate.sources.identity import Document
from liftgate.sources.source import Source

ATTEMPTS = 3
PAUSE_SECONDS = 1.0
REFUSED_IN_A_ROW = 3
"""After so many documents that a source did not give, each further one is asked for once, until it gives one again.

With pauses for every document, a key that expired would cost a batch of 64 more than three minutes in place of ten
seconds. Documents are asked for nevertheless: a folder without rights says nothing about the next one.
"""


class ReadAttempts:
    """Reads documents of sources, by name of the source."""

    def __init__(self, sources: Mapping[str, Source]):
        self._sources = sources
        self._refused: Counter[str] = Counter()

    def read(self, document: Document, version_hint: str) -> bytes:
        """The bytes of that version. Raises SourceError where no attempt got them."""
        attempts = ATTEMPTS if self._refused[document.source] < REFUSED_IN_A_ROW else 1
        try:
            data = _read(self._sources[document.source], document.uri, version_hint, attempts)
        except DocumentChanged:
            raise
        except SourceError:
            self._refused[document.source] += 1
            raise
        self._refused[document.source] = 0
        return data


def _read(source: Source, uri: str, version_hint: str, attempts: int) -> bytes:
    """A source that stumbles is asked again; one that moved on, or whose code is wrong, is not."""
    for attempt in range(1, attempts):
        try:
            return source.read(uri, version_hint)
        except (DocumentChanged, KindFaulty):
            raise
        except SourceError as error:
            print(f"Reading {uri}, attempt {attempt} of {attempts}: {error}")
            time.sleep(PAUSE_SECONDS * attempt)
    return source.read(uri, version_hint)
