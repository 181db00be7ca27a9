"""Propose a candidate: give it a number in the ledger, unless it is what is live already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.database import Connection, queries
from liftgate.errors import PromotionRefused
from liftgate.generations import last_closed
from liftgate.prompts import read_prompt
from liftgate.releases.ledger import live, lock_ledger, record
from liftgate.releases.makeup import Makeup, PromptPart
from liftgate.releases.standing import candidate_makeup
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

NOTHING_TO_PROPOSE = 0


def propose_candidate(runtime: Runtime, run: Run) -> int:
    """The release for the last closed generation with today's settings, or 0 if that equals what is live."""
    with runtime.database.transaction() as connection:
        base = last_closed(connection, run.kb)
        if base is None:
            return NOTHING_TO_PROPOSE
        makeup = candidate_makeup(runtime, connection, run, base)
    return propose(runtime, run, "retrieval", makeup)


def propose_prompt(runtime: Runtime, run: Run) -> int:
    """The release that stands for what is live with the configured prompt, or 0 if that is the prompt that is live."""
    prompt = read_prompt(run.config.answers.prompt)
    with runtime.database.transaction() as connection:
        current = live(connection, run.kb)
    if current is None:
        raise PromotionRefused(f"Expected a live release of {run.kb} to improve, found none. Run kb_{run.kb}.")
    part = PromptPart(version=prompt.version, text=prompt.text)
    return propose(runtime, run, "prompt", current.makeup.model_copy(update={"prompt": part}))


def propose(runtime: Runtime, run: Run, component: str, makeup: Makeup) -> int:
    """The number of the release for that makeup, a new one if the last was rejected or superseded. 0: it is live.

    A newer candidate of a component supersedes those that still wait.
    """
    with runtime.database.transaction() as connection:
        lock_ledger(connection, run.kb)
        current = live(connection, run.kb)
        if current and current.fingerprint == makeup.fingerprint:
            print(f"The candidate is what is live, release {current.n}: nothing is proposed.")
            _supersede(connection, run, component, current.n)
            return NOTHING_TO_PROPOSE
        parent = current.n if current else None
        n: int | None = queries().release_of(connection, kb=run.kb, fingerprint=makeup.fingerprint, parent=parent)
        if n is None:
            n = _add(connection, run, component, makeup, parent)
        _supersede(connection, run, component, n)
    print(f"Candidate: release {n} of {run.kb}: {makeup}")
    return n


def _add(connection: Connection, run: Run, component: str, makeup: Makeup, parent: int | None) -> int:
    n: int = queries().add_release(
        connection,
        kb=run.kb,
        component=component,
        makeup=makeup.model_dump_json(),
        fingerprint=makeup.fingerprint,
        parent=parent,
        run_id=run.run_id,
        unjudged=False,
    )
    record(connection, run.kb, "proposed", by=run.run_id, run_id=run.run_id, release=n, why=str(makeup))
    return n


def _supersede(connection: Connection, run: Run, component: str, newer: int) -> None:
    for row in list(queries().open_candidates(connection, kb=run.kb, component=component)):
        if row["n"] != newer:
            record(
                connection,
                run.kb,
                "superseded",
                by=run.run_id,
                run_id=run.run_id,
                release=row["n"],
                why=f"release {newer} is newer",
            )
