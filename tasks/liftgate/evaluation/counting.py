"""Which golden questions count under today's sources, told by a plain reader that is not our parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from liftgate.database import queries
from liftgate.errors import DocumentUnreadable, SourceError
from liftgate.evaluation.plain_text import plain_text, quote_stands
from liftgate.evaluation.questions import Question, status
from liftgate.fingerprints import content_hash, fingerprint
from liftgate.manifest import Entry, entries
from liftgate.releases.makeup import Makeup
from liftgate.runs import Run
from liftgate.sources.listing import sources_of
from liftgate.sources.source import Source

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
    needed = {(held[uri], question.quote) for question in questions for uri in question.sources if uri in held}
    stands = _standing_quotes(runtime, run, needed)
    counting, aside = [], []
    for question in questions:
        present = [held[uri] for uri in question.sources if uri in held]
        quoted = [question.quote if stands[entry, question.quote] else "" for entry in present]
        missing: list[str | None] = [None] * (len(question.sources) - len(present))
        may_read = any(readers.get(uri, frozenset()) & set(question.groups) for uri in question.sources)
        found = status(question, [*quoted, *missing], may_read if question.sources else None)
        if found == "counts":
            counting.append(question)
        else:
            aside.append(f"{question.id}: {found.replace('_', ' ')}")
    return Counted(tuple(counting), tuple(aside))


def _standing_quotes(runtime: Runtime, run: Run, needed: set[tuple[Entry, str]]) -> dict[tuple[Entry, str], bool]:
    """Whether each quote stands in its version of a document. What was found is remembered: versions never change."""
    keys = {(entry, quote): (entry.version, fingerprint(quote)) for entry, quote in needed if quote}
    with runtime.database.transaction() as connection:
        asked = {"versions": [key[0] for key in keys.values()], "quotes": [key[1] for key in keys.values()]}
        known = {(row["version"], row["quote"]): row["stands"] for row in queries().known_quotes(connection, **asked)}
    read = cache(partial(_plain_text, sources_of(run.config, runtime.connections)))
    found: dict[tuple[str, str], bool] = {}
    unread = set()
    for (entry, quote), key in keys.items():
        if key not in known:
            text = read(entry)
            if text is None:
                unread.add(key)
            else:
                found[key] = quote_stands(quote, text)
    with runtime.database.transaction() as connection:
        rows = [{"version": version, "quote": quote, "stands": stands} for (version, quote), stands in found.items()]
        queries().remember_quotes(connection, rows)
    everything = known | found | dict.fromkeys(unread, False)
    return {pair: everything[keys[pair]] if pair in keys else True for pair in needed}


def _plain_text(sources: Mapping[str, Source], entry: Entry) -> str | None:
    """Text of that version as a plain reader sees it: empty where it has none, None where it cannot be had now."""
    try:
        data = sources[entry.source].read(entry.uri, entry.version_hint)
    except (SourceError, DocumentUnreadable) as error:
        print(f"{entry.uri} could not be read for its golden questions, so they need review: {error}")
        return None
    if content_hash(data) != entry.version:
        return None
    try:
        return plain_text(entry.uri, data)
    except DocumentUnreadable as error:
        print(f"{entry.uri} has no text for its golden questions, so they need review: {error}")
        return ""
