"""A listing of named documents: they are looked at, and all others stand as in the listing before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING

from liftgate.database import queries
from liftgate.runs import Run
from liftgate.sources.words import SIDECAR_SUFFIXES, document_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def carry_over(runtime: Runtime, run: Run, serial: int) -> Mapping[str, Set[str]] | None:
    """Take over what the run does not look at, and return the uris to look at by source. None: list everything.

    What is carried over says nothing of access, so that it cannot undo what a listing beside this one has found.
    """
    if not run.scope.named:
        return None
    named: dict[str, set[str]] = defaultdict(set)
    for source, uri in run.scope.named:
        named[source].update(_with_sidecars(uri))
    pairs = [(source, uri) for source, uris in named.items() for uri in uris]
    sources, uris = [source for source, _ in pairs], [uri for _, uri in pairs]
    with runtime.database.transaction() as connection:
        last = queries().newest_whole_listing(connection, kb=run.kb)
        if last is None:
            return None
        queries().carry_documents(connection, serial=serial, last=last, sources=sources, uris=uris)
        queries().carry_sidecars(connection, serial=serial, last=last, sources=sources, uris=uris)
    return named


def _with_sidecars(uri: str) -> Iterable[str]:
    """A document and the files that may say who may read it, whichever of them is named."""
    document = document_of(uri)
    return (uri, document, *(document + suffix for suffix in SIDECAR_SUFFIXES))
