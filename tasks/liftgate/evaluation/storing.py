"""Evaluations in the database: the frame of a comparison in one row, its evidence in one row for each measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from liftgate.database import Connection, queries
from liftgate.evaluation.conditions import Conditions
from liftgate.evaluation.evidence import Comparison
from liftgate.evaluation.transcripts import Transcript, store_transcripts
from liftgate.fingerprints import canonical_json
from liftgate.gate.policy import Policy
from liftgate.gate.replay import evidence_json
from liftgate.releases.ledger import Release
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def known_evaluation(connection: Connection, candidate: Release, conditions: Conditions) -> int | None:
    """The id of the evaluation of that candidate under these conditions, if there is one."""
    found: int | None = queries().evaluation_of(
        connection,
        kb=candidate.kb,
        candidate_fingerprint=candidate.fingerprint,
        evaluation_fingerprint=conditions.fingerprint,
    )
    return found


def store_evaluation(
    runtime: Runtime,
    run: Run,
    candidate: Release,
    conditions: Conditions,
    policy: Policy,
    comparison: Comparison,
    transcripts: Sequence[Transcript] = (),
) -> int:
    """Store a comparison with all its evidence, whole or not at all, and return its id."""
    stored = evidence_json(policy, comparison)
    stored["comparison"]["rows"] = []
    with runtime.database.transaction() as connection:
        evaluation_id: int = queries().add_evaluation(
            connection,
            kb=run.kb,
            release=candidate.n,
            run_id=run.run_id,
            candidate_fingerprint=candidate.fingerprint,
            evaluation_fingerprint=conditions.fingerprint,
            comparison=canonical_json(stored),
        )
        rows = [{**asdict(row), "slices": list(row.slices), "evaluation_id": evaluation_id} for row in comparison.rows]
        queries().add_evidence(connection, rows)
        store_transcripts(connection, evaluation_id, transcripts, comparison.rows)
    return evaluation_id


def stored_evidence(connection: Connection, evaluation_id: int) -> dict[str, Any]:
    """All that a verdict depends on, as `replay` takes it."""
    stored: dict[str, Any] = queries().evaluation(connection, id=evaluation_id)["comparison"]
    stored["comparison"]["rows"] = list(queries().evidence_of(connection, evaluation_id=evaluation_id))
    return stored
