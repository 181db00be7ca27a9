"""What a person is shown who shall approve a release: the verdict, its numbers, what changes, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liftgate.database import Connection, queries
from liftgate.errors import ConfigurationError
from liftgate.gate.verdict import Check, Verdict
from liftgate.releases.ledger import Release, newest_verdict, release

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Request:
    """A question for a person. No text of a document stands in it: who answers need not be one of its readers."""

    subject: str
    body: str
    """Markdown."""
    evaluation: int
    """The one that the body shows. An answer counts for no other."""


def approval_request(runtime: Runtime, kb: str, n: int) -> Request:
    """The question about a release. Raises ConfigurationError where nothing was judged."""
    with runtime.database.transaction() as connection:
        candidate = release(connection, kb, n)
        judged = newest_verdict(connection, candidate)
        if judged is None:
            raise ConfigurationError(f"Expected a verdict on release {n} of {kb}, found none. Let it be judged first.")
        body = "\n".join(_body(connection, candidate, Verdict.from_json(judged["verdict"])))
    return Request(f"Shall release {n} of {kb} go live?", body, judged["evaluation_id"])


def _body(connection: Connection, candidate: Release, verdict: Verdict) -> Iterator[str]:
    yield f"**{verdict.summary[0]}**\n"
    yield from (f"{line}\n" for line in verdict.summary[1:])
    yield from _table(verdict)
    yield "\nBounds are one-sided at 95 %.\n"
    yield "### What changes\n"
    yield from _changes(connection, candidate)
    yield f"\n### What it cost\n\n{_cost(connection, candidate)}\n"
    yield f"`liftgate releases show {candidate.kb} {candidate.n}` computes all of it again from the evidence."


def _table(verdict: Verdict) -> Iterator[str]:
    yield "| check | outcome | candidate | other | difference | bounds | needed above |"
    yield "|---|---|---|---|---|---|---|"
    for check in verdict.checks:
        yield f"| {check.name} | {check.outcome.replace('_', ' ')} | {' | '.join(_numbers(check))} |"


def _numbers(check: Check) -> list[str]:
    """Example: recall 0.81 against 0.83 -> ["0.810", "0.830", "-0.020", "-0.061 to +0.025", "-0.100"]"""
    compared = check.other is not None
    form = "{:+.3f}" if compared else "{:.3f}"
    bounds = [form.format(bound) for bound in (check.lower, check.upper) if bound is not None]
    return [
        "" if check.candidate is None else f"{check.candidate:.3f}",
        "" if check.other is None else f"{check.other:.3f}",
        form.format(check.estimate) if compared and check.estimate is not None else "",
        " to ".join(bounds),
        "" if check.threshold is None else form.format(check.threshold),
    ]


def _changes(connection: Connection, candidate: Release) -> Iterator[str]:
    if candidate.parent is None:
        yield f"- This is the first release: {candidate.makeup}."
        return
    parent = release(connection, candidate.kb, candidate.parent)
    yield f"- The {candidate.component} of release {parent.n}, which is live."
    yield f"- Now: {parent.makeup}."
    yield f"- Then: {candidate.makeup}."
    before, after = (one.makeup.retrieval.settings.model_dump() for one in (parent, candidate))
    for name in sorted(after):
        if after[name] != before[name]:
            yield f"- {name}: {before[name]} becomes {after[name]}."


def _cost(connection: Connection, candidate: Release) -> str:
    if candidate.component == "adapter" and candidate.makeup.adapter:
        digest = candidate.makeup.adapter.digest
        return f"A training: `liftgate adapters show {candidate.kb} {digest[:12]}` has its job and its metrics.\n"
    plan: dict[str, Any] | None = queries().newest_plan(connection, kb=candidate.kb, run_id=candidate.run_id)
    if candidate.component != "retrieval" or plan is None:
        return "Nothing was indexed or trained for it.\n"
    opened = queries().opened_documents(connection, plan_id=plan["id"])
    embedded = queries().embedded_for(connection, plan_id=plan["id"])
    return f"{opened} documents were opened and {embedded} texts embedded.\n"
