"""Ask documents, and the files beside them, who may read them: each version once, right after it was listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from liftgate.config.access import Origin
from liftgate.database import queries
from liftgate.errors import DocumentUnreadable, SourceError
from liftgate.runs import Run
from liftgate.sources.words import (
    FRONT_MATTER_ENDINGS,
    SIDECAR_BYTES,
    GroupRules,
    Words,
    reading,
    words_of_document,
    words_of_sidecar,
)

if TYPE_CHECKING:
    from liftgate.runtime import Runtime
    from liftgate.sources.source import Source

DOCUMENTS_AT_ONCE = 200
LONGEST_FAILING_SECONDS = 60.0
"""A source whose failures took longer is asked no further by this listing, since access of all others waits for it."""
UNKNOWN = Words(problem="What it says of that is not known. The next listing asks again.")
SEVERAL = Words(problem="Expected one sidecar of it, found several. Keep one.")


def decide_undecided(
    runtime: Runtime, run: Run, serial: int, sources: dict[str, Source], error: str | None
) -> str | None:
    """Give every undecided document of a listing its groups, and return the error with which the listing broke off.

    What a source could not be asked is not known, and then nobody may read the document until the next listing. One
    that broke off may lack sidecars too: there, a document of which that is not known keeps the access that it had.
    """
    if not {"sidecar", "front_matter"} & set(run.config.access.groups_from):
        return error
    _ask(runtime, run, serial, sources)
    _decide(runtime, run, serial, whole=error is None)
    if error is None:
        with runtime.database.transaction() as connection:
            queries().forget_words_of_gone(connection, kb=run.kb, serial=serial)
            lonely = queries().lonely_sidecars(connection, serial=serial)
        if lonely["sidecars"]:
            print(
                f"Sidecars of no listed document: {lonely['sidecars']}, the first {lonely['first']}. The sidecar of "
                "leave.md is called leave.md.access.yaml."
            )
    return error


def _ask(runtime: Runtime, run: Run, serial: int, sources: dict[str, Source]) -> None:
    asks_documents = "front_matter" in run.config.access.groups_from
    endings = [f"%{ending}" for ending in FRONT_MATTER_ENDINGS] if asks_documents else []
    most_bytes = run.config.ingestion.parsing.max_document_bytes
    failing: dict[str, float] = defaultdict(float)
    of = {"kb": run.kb, "reading": reading(run.config.access)}
    for rows in _pages(runtime, "unknown_words", serial=serial, endings=endings, **of):
        found = []
        for row in rows:
            if words := _answer(sources[row["source"]], row, most_bytes, failing):
                groups = None if words.groups is None else list(words.groups)
                found.append({**row, **of, "groups": groups, "problem": words.problem})
        with runtime.database.transaction() as connection:
            queries().remember_words(connection, found)


def _answer(source: Source, row: dict[str, Any], most_bytes: int, failing: dict[str, float]) -> Words | None:
    """None where that cannot be known now. `failing` counts the seconds that failures of each source took."""
    if failing[source.name] > LONGEST_FAILING_SECONDS:
        return None
    began = monotonic()
    try:
        return _words(source, row, most_bytes)
    except SourceError as error:
        failing[source.name] += monotonic() - began
        print(f"{row['uri']} was not asked who may read: {error}")
        return None


def _words(source: Source, row: dict[str, Any], most_bytes: int) -> Words | None:
    """What a document or sidecar says; None of one that is too large to be opened. Raises SourceError."""
    uri, most = row["uri"], SIDECAR_BYTES if row["sidecar"] else most_bytes
    if row["size_bytes"] > most:
        print(f"Expected {uri}, which says who may read, with at most {most} bytes, found {row['size_bytes']}.")
        return None
    try:
        data = source.read(uri, row["version_hint"])
    except DocumentUnreadable as error:
        return Words(problem=str(error))
    return words_of_sidecar(data, uri) if row["sidecar"] else words_of_document(data, uri)


def _decide(runtime: Runtime, run: Run, serial: int, whole: bool) -> None:
    rules, order = GroupRules(run.config.access), run.config.access.groups_from
    with runtime.database.transaction() as connection:
        suffixes = [row["suffix"] for row in queries().sidecar_suffixes(connection, serial=serial)]
    of = {"kb": run.kb, "reading": reading(run.config.access), "suffixes": suffixes}
    for rows in _pages(runtime, "undecided_documents", serial=serial, **of):
        decided, forgotten = [], []
        for row in rows:
            words = {origin: said for origin, said in _said(row, whole).items() if origin in order}
            said = rules.decide(row["uri"], row["source_groups"], words)
            document = {"serial": serial, "source": row["source"], "uri": row["uri"]}
            if said is UNKNOWN and not whole:
                forgotten.append(document)
            else:
                decided.append({**document, "groups": list(said.groups or ())})
                if said.problem:
                    print(f"Nobody may read {row['uri']}: {said.problem}")
        with runtime.database.transaction() as connection:
            queries().decide_groups(connection, decided)
            queries().forget_documents(connection, forgotten)


def _said(row: dict[str, Any], whole: bool) -> dict[Origin, Words]:
    """What the sidecar and the document say. That there is no sidecar is known of a whole listing only."""
    beside = Words(row["sidecar_groups"], row["sidecar_problem"]) if row["sidecar_known"] else UNKNOWN
    beside = SEVERAL if row["sidecars"] > 1 else beside
    none = Words() if whole else UNKNOWN
    speaks = row["uri"].lower().endswith(FRONT_MATTER_ENDINGS)
    own = Words(row["own_groups"], row["own_problem"]) if row["own_known"] else UNKNOWN
    return {"sidecar": beside if row["sidecars"] else none, "front_matter": own if speaks else Words()}


def _pages(runtime: Runtime, query: str, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
    """The rows of a query in pages, each asked for after the last one was worked off."""
    last = {"source": "", "uri": ""}
    while True:
        after = {"after_source": last["source"], "after_uri": last["uri"], "most": DOCUMENTS_AT_ONCE}
        with runtime.database.transaction() as connection:
            rows = list(getattr(queries(), query)(connection, **parameters, **after))
        if not rows:
            return
        yield rows
        last = rows[-1]
