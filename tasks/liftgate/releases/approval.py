"""Approval by a person: where it is configured, a verdict `promote` alone makes nothing live.

An answer belongs to the evidence that the person saw: the same candidate under the same conditions is never asked about
twice, and new evidence is asked about anew. All of it is events of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from liftgate.config.approval import Answer, Approval
from liftgate.database import Connection, queries
from liftgate.errors import ConfigurationError
from liftgate.releases.ledger import Release, lock_ledger, newest_verdict, record, release
from liftgate.runs import Frozen, Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

ApprovalState = Literal["not_needed", "not_asked", "waiting", "promote", "reject", "hold"]
_EVENTS = {"promote": "approved", "reject": "rejected", "hold": "held"}
NOBODY = "nobody"


@dataclass(frozen=True)
class Given:
    """An answer as it came. `by` is empty where the deadline answered."""

    answer: str
    by: str
    at: datetime


def approval_needed(connection: Connection, kb: str, component: str) -> Approval | None:
    """The approval that the newest configuration of a knowledge base asks for such a candidate."""
    stored = queries().last_configuration(connection, kb=kb)
    approval = Frozen.model_validate(stored).knowledge_base.approval if stored else None
    return approval if approval and component in approval.of else None


def approval_state(connection: Connection, kb: str, component: str, n: int | None, evaluation: int) -> ApprovalState:
    """Where the approval of a candidate stands, on the evidence of that evaluation. None: it has no number yet.

    Yes and no stand for the candidate under whatever number; waiting and holding are about one release. What a person
    answered stands, also where the configuration asks nobody any more.
    """
    last = queries().last_approval(connection, kb=kb, evaluation=evaluation)
    found: ApprovalState = last["details"]["approval"] if last else "not_asked"
    if last and found in ("waiting", "hold") and last["release"] != n:
        found = "not_asked"
    if found in ("waiting", "not_asked") and approval_needed(connection, kb, component) is None:
        return "not_needed"
    return found


def ask_for_approval(runtime: Runtime, run: Run, candidate: int) -> int:
    """Record that the candidate waits for a person, and return the evaluation that is asked about. Says it once."""
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        asked = release(connection, run.kb, candidate)
        evaluation = _evaluation(connection, asked)
        if approval_state(connection, run.kb, asked.component, candidate, evaluation) == "not_asked":
            record(
                connection,
                run.kb,
                "held",
                by=run.run_id,
                run_id=run.run_id,
                release=candidate,
                why=f"waits for an answer in approve_{run.kb}",
                details={"approval": "waiting", "evaluation": evaluation},
            )
    print(f"Release {candidate} of {run.kb} waits for an answer in approve_{run.kb}.")
    return evaluation


def record_answer(runtime: Runtime, run: Run, candidate: int, evaluation: int, given: Given) -> bool:
    """Write into the ledger who answered what, and when. False: the answer came too late to count for anything.

    evaluation: the one that the person was shown. An answer is recorded once, however often the step is tried; another
    answer in the same run, after a task was cleared, takes its place.
    """
    if given.answer not in get_args(Answer):
        raise ConfigurationError(f"Expected promote, reject or hold as an answer, found {given.answer!r}.")
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        asked = release(connection, run.kb, candidate)
        late = _too_late(connection, asked, evaluation)
        if late is None and not _recorded(connection, run, asked, given):
            _record(connection, run, asked, given)
    print(late or f"Release {candidate} of {run.kb}: {_sentence(given)}.")
    return late is None


def judged_by(runtime: Runtime, run: Run, candidate: int) -> str:
    """The DAG that proposed a candidate: it can judge it again."""
    with runtime.database.transaction() as connection:
        dag_id = release(connection, run.kb, candidate).run_id.partition(":")[0]
    return dag_id if dag_id.startswith(("prompt_", "adapter_")) else f"kb_{run.kb}"


def _too_late(connection: Connection, asked: Release, evaluation: int) -> str | None:
    if asked.outcome in ("promoted", "rolled_back"):
        return f"Release {asked.n} of {asked.kb} went live meanwhile: the answer changes nothing."
    if asked.outcome == "superseded":
        return f"Release {asked.n} of {asked.kb} is superseded by a newer one: the answer changes nothing."
    if evaluation != _evaluation(connection, asked):
        return f"Release {asked.n} of {asked.kb} was judged again meanwhile: the newer question counts."
    return None


def _recorded(connection: Connection, run: Run, asked: Release, given: Given) -> bool:
    """Whether this very answer is the newest word on the evidence."""
    last = queries().last_approval(connection, kb=asked.kb, evaluation=_evaluation(connection, asked))
    wanted = (run.run_id, given.by or NOBODY, _details(connection, asked, given))
    return last is not None and (last["run_id"], last["by_whom"], last["details"]) == wanted


def _details(connection: Connection, asked: Release, given: Given) -> dict[str, Any]:
    evaluation = _evaluation(connection, asked)
    return {"approval": given.answer, "evaluation": evaluation, "answered_at": given.at.isoformat()}


def _record(connection: Connection, run: Run, asked: Release, given: Given) -> None:
    details = _details(connection, asked, given)
    by, kind = given.by or NOBODY, _EVENTS[given.answer]
    record(connection, asked.kb, kind, by=by, run_id=run.run_id, release=asked.n, why=_sentence(given), details=details)


def _sentence(given: Given) -> str:
    """Example: Given("promote", "ada", ...) -> "ada answered promote at 2026-01-01 12:00 UTC"."""
    at = f"{given.at:%Y-%m-%d %H:%M} UTC"
    if given.by:
        return f"{given.by} answered {given.answer} at {at}"
    return f"nobody had answered by {at}, for which {given.answer} is configured"


def _evaluation(connection: Connection, asked: Release) -> int:
    """The evaluation of the newest verdict. Raises ConfigurationError where nothing was judged."""
    judged = newest_verdict(connection, asked)
    if judged is None:
        raise ConfigurationError(
            f"Expected a verdict on release {asked.n} of {asked.kb} to ask about, found none. Let it be judged."
        )
    return int(judged["evaluation_id"])
