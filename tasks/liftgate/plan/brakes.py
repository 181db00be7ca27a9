"""Brakes: what stops a run before it touches the index, and how a person lets it pass once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from liftgate.errors import BrakeApplied
from liftgate.runs import Run


@dataclass(frozen=True)
class Workload:
    """What a plan would do, in documents, and what that would cost."""

    listed: int
    indexed: int
    removals: int
    opened: int
    tokens: int
    widenings: int
    first: bool
    unsized: int = 0
    """Documents to open of which nobody knows how many tokens they have, since their source tells no size."""
    emptied: tuple[str, ...] = ()
    """Sources of several that list nothing, while documents of them are indexed."""

    def counts(self) -> dict[str, Any]:
        """As it is stored with the plan."""
        return vars(self).copy()


def require_within_brakes(run: Run, workload: Workload, listing_error: str | None) -> None:
    """Raise BrakeApplied with every brake that holds, its counts, and the params that let it pass once."""
    if listing_error:
        raise BrakeApplied(
            f"Expected a complete listing of {run.kb}, found one that broke off: {listing_error} "
            "Access was narrowed, nothing else changed. Mend the source, then clear list_sources and downstream."
        )
    reasons = [reason for reason in (_empty(workload), *_emptied(run, workload), *_over(run, workload)) if reason]
    if reasons:
        cost = cost_sentence(run, workload)
        raise BrakeApplied("\n".join([f"{run.kb} was stopped before it touched the index.", *reasons, cost]))


def _empty(workload: Workload) -> str | None:
    if workload.listed or workload.first:
        return None
    return (
        f"Expected the sources to list documents, found none while {workload.indexed} are indexed. "
        "Check path and credentials; an empty source can be indexed only by removing its knowledge base."
    )


def _emptied(run: Run, workload: Workload) -> list[str]:
    """Its share of all documents may be small, so that the brake on removals would let it pass."""
    if not workload.listed or (run.allowances.removals or 0) >= workload.removals:
        return []
    return [
        f"Expected source {name} to list documents, found none while some of it are indexed. Check its path and "
        f"credentials. If that is right, run again with the param allow_removals_up_to: {workload.removals}."
        for name in workload.emptied
    ]


def _over(run: Run, workload: Workload) -> list[str | None]:
    brakes, allowed = run.config.brakes, run.allowances
    limits = [
        ("removals", workload.removals, brakes.max_removed_share * workload.indexed, allowed.removals),
        ("widenings", workload.widenings, brakes.max_widened_share * workload.listed, allowed.widenings),
    ]
    if not workload.first:
        opened = min(brakes.max_opened_share * workload.listed, brakes.max_opened_documents)
        limits.append(("opened", workload.opened, opened, allowed.opened))
    return [_one(*limit) for limit in limits]


_WORDS = {
    "removals": "documents to remove from the index",
    "widenings": "documents to become readable by more groups",
    "opened": "documents to open and embed",
}


def _one(name: str, found: int, configured: float, allowed: int | None) -> str | None:
    limit = configured if allowed is None else allowed
    if found <= limit:
        return None
    return (
        f"Expected at most {limit:.0f} {_WORDS[name]}, found {found}. "
        f"If that is right, run again with the param allow_{name}_up_to: {found}."
    )


def cost_sentence(run: Run, workload: Workload) -> str:
    """What a plan would open and embed, and the price of that where one is configured."""
    price = run.config.brakes.price_per_million_tokens * workload.tokens / 1_000_000
    priced = f", {price:.2f} at the configured price" if price else ""
    return f"This run would open {workload.opened} documents and embed {_tokens(workload, priced)}."


def _tokens(workload: Workload, priced: str) -> str:
    """Example: about 1,200 tokens, 0.12 at the configured price, and those of 2 documents of which no size is told"""
    known, of = f"about {workload.tokens:,} tokens{priced}", f"{workload.unsized} documents of which no size is told"
    if not workload.unsized:
        return known
    return f"{known}, and those of {of}" if workload.tokens else f"an unknown number of tokens: those of {of}"
