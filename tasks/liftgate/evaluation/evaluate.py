"""Evidence to verdict, once for each pair of candidate and conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liftgate.database import Connection, queries
from liftgate.errors import LiftgateError
from liftgate.evaluation.storing import stored_evidence
from liftgate.fingerprints import canonical_json
from liftgate.gate.replay import replay
from liftgate.gate.verdict import Verdict
from liftgate.releases.ledger import lock_ledger, record, release
from liftgate.runs import Run
from liftgate.tracking import tell_of_adapter

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def evaluate(runtime: Runtime, run: Run, evaluation_id: int) -> str:
    """Compute the verdict from the stored evidence, store it in the ledger, and return its outcome.

    A verdict that is in the ledger already is returned as it stands. If another one was formed on the candidate since,
    an event says that this one holds again.
    """
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        frame = queries().evaluation(connection, id=evaluation_id)
        pair = {key: frame[key] for key in ("candidate_fingerprint", "evaluation_fingerprint")}
        found = queries().verdict_on(connection, kb=run.kb, **pair)
        verdict = Verdict.from_json(found["verdict"]) if found else replay(stored_evidence(connection, evaluation_id))
        if not found:
            queries().add_verdict(
                connection,
                kb=run.kb,
                release=frame["release"],
                evaluation_id=evaluation_id,
                outcome=verdict.outcome,
                verdict=canonical_json(verdict.to_json()),
                run_id=run.run_id,
                **pair,
            )
        _record_if_new(connection, run, frame, verdict)
        candidate = release(connection, run.kb, frame["release"])
    _print(verdict)
    if candidate.component == "adapter" and candidate.makeup.adapter:
        tell_of_adapter(runtime, run.kb, candidate.makeup.adapter.digest)
    return verdict.outcome


def _record_if_new(connection: Connection, run: Run, frame: dict[str, Any], verdict: Verdict) -> None:
    """An event, unless the newest one about this candidate names the same evaluation."""
    known = queries().verdicts_of(connection, kb=run.kb, candidate_fingerprint=frame["candidate_fingerprint"])
    newest = next(iter(known))
    if newest["evaluation_id"] == frame["id"] and newest["reached_at"]:
        return
    record(
        connection,
        run.kb,
        "evaluated",
        by=run.run_id,
        run_id=run.run_id,
        release=frame["release"],
        why=verdict.summary[0],
        details={"outcome": verdict.outcome, "evaluation": frame["id"]},
    )


def replayed(connection: Connection, kb: str, evaluation_id: int) -> Verdict:
    """The stored verdict of an evaluation, computed again from its rows. Raises LiftgateError if they disagree."""
    frame = queries().evaluation(connection, id=evaluation_id)
    found = queries().verdict_on(
        connection,
        kb=kb,
        candidate_fingerprint=frame["candidate_fingerprint"],
        evaluation_fingerprint=frame["evaluation_fingerprint"],
    )
    again = replay(stored_evidence(connection, evaluation_id))
    if canonical_json(again.to_json()) != canonical_json(found["verdict"]):
        raise LiftgateError(
            f"Expected evaluation {evaluation_id} to give its stored verdict again, found {again.outcome} "
            f"instead of {found['outcome']}. The evidence was changed, or this version judges in another way."
        )
    return again


def _print(verdict: Verdict) -> None:
    for line in verdict.summary:
        print(line)
    for check in verdict.checks:
        print(f"  {check.outcome:12} {check.sentence}")
