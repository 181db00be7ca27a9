"""Where a knowledge base stands: its candidate, whether that is settled, and how long live has been behind."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from liftgate.answering.base_model import base_revision
from liftgate.database import Connection, queries
from liftgate.evaluation.conditions import retrieval_conditions
from liftgate.generations import Generation, collection
from liftgate.prompts import read_prompt
from liftgate.releases.approval import approval_state
from liftgate.releases.ledger import hold, live, release
from liftgate.releases.makeup import BasePart, Makeup, PromptPart, RetrievalPart
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def candidate_makeup(runtime: Runtime, connection: Connection, run: Run, generation: Generation) -> Makeup:
    """A generation with today's retrieval settings; everything else as it is live, or as configured at first."""
    retrieval = RetrievalPart(
        collection_id=generation.collection_id,
        collection=collection(connection, generation.collection_id).name,
        generation=generation.generation,
        digest=generation.digest or "",
        settings=run.config.ingestion.retrieval_defaults,
    )
    current = live(connection, run.kb)
    if current:
        return current.makeup.model_copy(update={"retrieval": retrieval})
    prompt = read_prompt(run.config.answers.prompt)
    answers = run.config.answers
    return Makeup(
        retrieval=retrieval,
        prompt=PromptPart(version=prompt.version, text=prompt.text),
        base=BasePart(
            model=answers.base_model,
            revision=answers.job.base_revision or base_revision(answers.base_model, runtime.settings.models_dir),
        ),
        max_new_tokens=answers.max_new_tokens,
    )


def reason_to_stop(runtime: Runtime, connection: Connection, run: Run, base: Generation) -> str | None:
    """Why a run over unchanged sources has nothing to do. None: its candidate is still to be judged or promoted."""
    makeup = candidate_makeup(runtime, connection, run, base)
    current = live(connection, run.kb)
    if current and current.fingerprint == makeup.fingerprint:
        return f"live is release {current.n}, which holds what the sources hold."
    conditions = retrieval_conditions(connection, run)
    found = queries().verdict_on(
        connection,
        kb=run.kb,
        candidate_fingerprint=makeup.fingerprint,
        evaluation_fingerprint=conditions.fingerprint,
    )
    if found is None:
        return None
    if found["outcome"] != "promote":
        return f"release {found['release']} was judged {found['outcome']}, and nothing has changed since."
    held, parent = hold(connection, run.kb), current.n if current else None
    n = queries().release_of(connection, kb=run.kb, fingerprint=makeup.fingerprint, parent=parent)
    if held and n is not None and release(connection, run.kb, n).outcome == "held":
        return f"release {n} is held since {held.since:%Y-%m-%d %H:%M}: {held.why}"
    approval = approval_state(connection, run.kb, "retrieval", n, found["evaluation_id"])
    if not held and approval in ("waiting", "hold", "reject"):
        return f"release {found['release']} was judged promote, and a person's approval of it stands at {approval}."
    return None


def behind_since(connection: Connection, kb: str) -> datetime | None:
    """Since when live has not held what the sources hold, or nobody could find out. None: it is up to date.

    It is behind while a newer generation is not live, and while every run over everything is stopped, cannot list, or
    does not come to close what it planned.
    """
    (standing,) = queries().standings(connection, kbs=[kb])
    since: datetime | None = standing["behind_since"]
    return since
