"""Which golden questions count under today's sources, told by a plain reader that is not our parser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liftgate.database import queries
from liftgate.errors import DocumentUnreadable, SourceError
from liftgate.evaluation.plain_text import plain_text, quote_stands
from liftgate.evaluation.questions import Question, standing
from liftgate.fingerprints import content_hash, fingerprint
from liftgate.manifest import Entry, entries
from liftgate.releases.makeup import Makeup
from liftgate.runs import Run
from liftgate.sources.listing import sources_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Counted:
    """The questions that count, and a sentence for each that was set aside."""

    questions: tuple[Question, ...]
    set_aside: tuple[str, ...]


def count_questions(
    runtime: Runtime, run: Run, makeup: Makeup, questions: Sequence[Question], readers: dict[str, frozenset[str]]
) -> Counted:
    """Set aside questions whose evidence is gone, or whose documents are deleted or closed to the asker.

    `readers`: groups that may read a document today, by uri. Each version of a document is opened once, ever.
    """
    with runtime.database.transaction() as connection:
        held = {
            entry.uri: entry
            for entry in entries(connection, makeup.retrieval.collection_id, makeup.retrieval.generation)
        }
    reader = _QuoteReader(runtime, run)
    counting, aside = [], []
    for question in questions:
        present = [held[uri] for uri in question.sources if uri in held]
        quoted = [question.quote if reader.holds(entry, question.quote) else "" for entry in present]
        missing: list[str | None] = [None] * (len(question.sources) - len(present))
        may_read = any(readers.get(uri, frozenset()) & set(question.groups) for uri in question.sources)
        found = standing(question, [*quoted, *missing], may_read if question.sources else None)
        if found == "counts":
            counting.append(question)
        else:
            aside.append(f"{question.id}: {found.replace('_', ' ')}")
    return Counted(tuple(counting), tuple(aside))


class _QuoteReader:
    """Whether a quote stands in a version of a document; remembered for good, since versions never change."""

    def __init__(self, runtime: Runtime, run: Run):
        self._runtime = runtime
        self._sources = sources_of(run.config)
        self._texts: dict[str, str] = {}

    def holds(self, entry: Entry, quote: str) -> bool:
        """Ask the memory first, and open the document only for what is not known."""
        if not quote:
            return True
        key = {"version": entry.version, "quote": fingerprint(quote)}
        with self._runtime.database.transaction() as connection:
            known = queries().quote_stands(connection, **key)
            if known is None:
                known = quote_stands(quote, self._text(entry))
                queries().remember_quote(connection, stands=known, **key)
        return bool(known)

    def _text(self, entry: Entry) -> str:
        if entry.version not in self._texts:
            self._texts[entry.version] = self._read(entry)
        return self._texts[entry.version]

    def _read(self, entry: Entry) -> str:
        try:
            data = self._sources[entry.source].read(entry.uri, entry.version_hint)
            return plain_text(entry.uri, data) if content_hash(data) == entry.version else ""
        except (SourceError, DocumentUnreadable) as error:
            print(f"{entry.uri} could not be read for its golden questions, so they need review: {error}")
            return ""
