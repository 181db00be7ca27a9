"""A listing: what the sources hold now, written down before anything is decided from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from psycopg.errors import UniqueViolation

from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.database import queries
from liftgate.errors import SourceError
from liftgate.runs import Run
from liftgate.sources.connections import Connections
from liftgate.sources.deciding import decide_undecided
from liftgate.sources.naming import carry_over
from liftgate.sources.source import Source

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

ROWS_AT_ONCE = 1000


def list_sources(runtime: Runtime, run: Run) -> int:
    """List every source and return the listing's serial, drawn when it starts.

    An error is recorded and the step succeeds, so that access is applied to what was listed; plan_changes fails
    with that error, since a listing that broke off must not look like removals.
    """
    with runtime.database.transaction() as connection:
        serial: int = queries().start_listing(connection, kb=run.kb, run_id=run.run_id)
    fill_listing(runtime, run, serial)
    return serial


def fill_listing(runtime: Runtime, run: Run, serial: int) -> None:
    """Write down what every source holds in a listing that has been started."""
    error = _write_down(runtime, run, serial)
    error = decide_undecided(runtime, run, serial, sources_of(run.config, runtime.connections), error)
    with runtime.database.transaction() as connection:
        queries().finish_listing(connection, serial=serial, error=error)
        queries().keep_known_versions(connection, kb=run.kb, serial=serial)
        documents = queries().count_listed(connection, serial=serial)
    print(f"Listing {serial} of {run.kb}: {documents} documents" + (f", broke off: {error}" if error else ""))


def sources_of(config: KnowledgeBase, connections: Connections) -> dict[str, Source]:
    """The sources of a knowledge base by their names."""
    return {block.name: Source(block, config.access, connections) for block in config.ingestion.sources}


def _write_down(runtime: Runtime, run: Run, serial: int) -> str | None:
    """Store the listing as it streams in, and return the error with which it broke off, if it did."""
    named = carry_over(runtime, run, serial)
    rows = _rows(serial, sources_of(run.config, runtime.connections), named)
    error = None
    while error is None:
        some: list[dict[str, Any]] = []
        try:
            some.extend(islice(rows, ROWS_AT_ONCE))
        except SourceError as broken:
            error = str(broken)
        if not some:
            break
        try:
            _add(runtime, some)
        except UniqueViolation as twice:
            with suppress(UniqueViolation):  # what came before it narrows access, as where any listing breaks off
                for row in some:
                    _add(runtime, [row])
            return (
                f"Expected every document once, found {_repeated(twice)} twice. If its pages shifted while they were "
                "listed, clear list_sources and downstream; otherwise its source repeats documents: mend that."
            )
    return error


def _repeated(twice: UniqueViolation) -> str:
    """Example: "Key (serial, source, uri)=(6, wiki, a (1).md) already exists." -> "a (1).md of source wiki" """
    found = re.search(r"=\(\d+, (.*?), (.*)\) already", twice.diag.message_detail or "")
    return f"{found[2]} of source {found[1]}" if found else "one"


def _add(runtime: Runtime, rows: list[dict[str, Any]]) -> None:
    with runtime.database.transaction() as connection:
        queries().add_listed_documents(connection, [row for row in rows if not row["sidecar"]])
        queries().add_listed_sidecars(connection, [row for row in rows if row["sidecar"]])


def _rows(serial: int, sources: dict[str, Source], named: Mapping[str, Set[str]] | None) -> Iterator[dict[str, Any]]:
    for source in sources.values():
        uris = None if named is None else named.get(source.name, ())
        for listed, undecided, sidecar in source.entries(uris):
            groups = None if listed.groups is None else list(listed.groups)
            yield {
                "serial": serial,
                "source": source.name,
                "uri": listed.uri,
                "version_hint": listed.version_hint,
                "size_bytes": listed.size_bytes,
                "updated_at": listed.updated_at,
                "groups": [] if undecided else groups,
                "undecided": undecided,
                "source_groups": groups if undecided else None,
                "sidecar": sidecar,
            }
