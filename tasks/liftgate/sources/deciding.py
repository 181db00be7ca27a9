"""Ask documents, and the files beside them, who may read them: each version once, right after it was listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from liftgate.config.access import Origin
from liftgate.database import queries
from liftgate.errors import DocumentChanged, DocumentUnreadable, SourceError
from liftgate.runs import Run
from liftgate.sources.words import (
    FRONT_MATTER_ENDINGS,
    SIDECAR_BYTES,
    SIDECAR_SUFFIX,
    GroupRules,
    Words,
    words_of_document,
    words_of_sidecar,
)

if TYPE_CHECKING:
    from liftgate.runtime import Runtime
    from liftgate.sources.source import Source

DOCUMENTS_AT_ONCE = 200


def decide_undecided(
    runtime: Runtime, run: Run, serial: int, sources: dict[str, Source], error: str | None
) -> str | None:
    """Give every undecided document of a listing its groups, and return the error with which the listing broke off.

    A listing that broke off may lack a sidecar, and a source that cannot be read says nothing: then who may read an
    undecided document stays as it is.
    """
    if not {"sidecar", "front_matter"} & set(run.config.access.groups_from):
        return error
    try:
        if error is None:
            _ask(runtime, run, serial, sources)
            _decide(runtime, run, serial)
    except SourceError as broken:
        error = str(broken)
    with runtime.database.transaction() as connection:
        if error is None:
            queries().forget_words_of_gone(connection, kb=run.kb, serial=serial)
        else:
            queries().forget_undecided(connection, serial=serial)
    return error


def _ask(runtime: Runtime, run: Run, serial: int, sources: dict[str, Source]) -> None:
    asks_documents = "front_matter" in run.config.access.groups_from
    endings = [f"%{ending}" for ending in FRONT_MATTER_ENDINGS] if asks_documents else []
    most_bytes = run.config.ingestion.parsing.max_document_bytes
    for rows in _pages(runtime, "unknown_words", kb=run.kb, serial=serial, endings=endings):
        found = []
        for row in rows:
            if words := _words(sources[row["source"]], row, most_bytes):
                groups = None if words.groups is None else list(words.groups)
                found.append({**row, "kb": run.kb, "groups": groups, "problem": words.problem})
        with runtime.database.transaction() as connection:
            queries().remember_words(connection, found)


def _words(source: Source, row: dict[str, Any], most_bytes: int) -> Words | None:
    """None where that cannot be known now: the next listing asks again, and until then nobody may read it."""
    uri, most = row["uri"], SIDECAR_BYTES if row["sidecar"] else most_bytes
    if row["size_bytes"] > most:
        print(f"Expected {uri}, which says who may read, with at most {most} bytes, found {row['size_bytes']}.")
        return None
    try:
        data = source.read(uri, row["version_hint"])
    except DocumentChanged as error:
        print(f"{uri} was not asked who may read: {error}")
        return None
    except DocumentUnreadable as error:
        return Words(problem=str(error))
    return words_of_sidecar(data, uri) if row["sidecar"] else words_of_document(data, uri)


def _decide(runtime: Runtime, run: Run, serial: int) -> None:
    rules, order = GroupRules(run.config.access), run.config.access.groups_from
    for rows in _pages(runtime, "undecided_documents", kb=run.kb, serial=serial, suffix=SIDECAR_SUFFIX):
        found = []
        for row in rows:
            words = {origin: said for origin, said in _said(row).items() if origin in order}
            groups = rules.decide(row["uri"], row["source_groups"], words)
            found.append({"serial": serial, "source": row["source"], "uri": row["uri"], "groups": list(groups)})
            for problem in (said.problem for said in words.values() if said.problem and not groups):
                print(f"Nobody may read {row['uri']}: {problem}")
        with runtime.database.transaction() as connection:
            queries().decide_groups(connection, found)


def _said(row: dict[str, Any]) -> dict[Origin, Words]:
    unknown = Words(problem="What it says of that is not known. The next listing asks again.")
    beside = Words(row["sidecar_groups"], row["sidecar_problem"]) if row["sidecar_known"] else unknown
    speaks = row["uri"].lower().endswith(FRONT_MATTER_ENDINGS)
    own = Words(row["own_groups"], row["own_problem"]) if row["own_known"] else unknown
    return {"sidecar": beside if row["has_sidecar"] else Words(), "front_matter": own if speaks else Words()}


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
