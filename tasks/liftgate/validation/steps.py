"""The suites as steps of a run: collect the rows, run the checkpoint, store the result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from liftgate.database import queries
from liftgate.generations import Generation, collection, last_closed
from liftgate.runs import Run
from liftgate.validation import chunks as chunk_suite
from liftgate.validation import tuning_set as tuning_suite
from liftgate.validation.reports import data_quality, store_report

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def validate_chunks(runtime: Runtime, run: Run) -> str:
    """Run the suite over the rows of the last closed generation. Returns the report's address.

    Raises ValidationFailed, which stops the run before anything can go live.
    """
    with runtime.database.transaction() as connection:
        newest = last_closed(connection, run.kb)
    if newest is None or newest.digest is None:
        raise LookupError(f"Expected a closed generation of {run.kb}, found none. Clear plan_changes and downstream.")
    folder = runtime.files / "reports" / run.kb / f"generation-{newest.generation}"
    if data_quality(runtime, run.kb, newest.digest):
        print(f"Generation {newest.generation} has passed already.")
        return str(folder)
    report = chunk_suite.validate_chunks(
        _chunk_rows(runtime, newest),
        run.config.validation,
        max_tokens=run.config.ingestion.chunking.chunk_size_tokens,
        quarantined_share=_quarantined_share(runtime, run, newest),
        docs_folder=folder,
    )
    store_report(runtime, run, newest.digest, report)
    return report.docs


def validate_tuning_set(runtime: Runtime, run: Run, digest: str) -> str:
    """Run the suite over a tuning set. Returns the report's address. Raises ValidationFailed."""
    folder = runtime.files / "reports" / run.kb / f"tuning-set-{digest[:12]}"
    if data_quality(runtime, run.kb, digest):
        print(f"Tuning set {digest[:12]} has passed already.")
        return str(folder)
    lines = (runtime.files / "tuning_sets" / digest / "checked.jsonl").read_text(encoding="utf-8").splitlines()
    report = tuning_suite.validate_tuning_set(
        [json.loads(line) for line in lines], run.config.validation, docs_folder=folder
    )
    store_report(runtime, run, digest, report)
    return report.docs


def _chunk_rows(runtime: Runtime, newest: Generation) -> list[dict[str, Any]]:
    with runtime.database.transaction() as connection:
        index = runtime.index_in(connection, collection(connection, newest.collection_id))
        return [
            {
                "chunk_id": row.id,
                "doc_id": row.doc_id,
                "section": row.section,
                "groups": list(row.groups),
                "text": row.text,
                "tokens": row.tokens,
                "norm": float(np.linalg.norm(row.embedding)),
            }
            for row in index.rows(newest.generation)
        ]


def _quarantined_share(runtime: Runtime, run: Run, newest: Generation) -> float:
    """Documents that could not be read, of all that this generation holds or should hold."""
    with runtime.database.transaction() as connection:
        aside = list(queries().quarantined(connection, kb=run.kb))
    for row in aside:
        print(f"Quarantined since {row['since']:%Y-%m-%d}: {row['uri']}: {row['reason']}")
    return len(aside) / max(1, newest.counts["documents"] + len(aside))
