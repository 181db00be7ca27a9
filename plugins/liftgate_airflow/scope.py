"""What a DAG run works on: the only place that reads the kind, the interval and the params of a run."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

if TYPE_CHECKING:
    from airflow.sdk import Context

    from liftgate.runs import Allowances, Scope

BACKFILL, EVENT = "backfill", "asset_triggered"


def work_scope(context: Context) -> Scope:
    """`whole`, except in a backfill, which takes the documents of its interval, and in a run that names documents.

    Those are patterns that a person gave, or what every event that started the run says has changed or is gone.
    Only a backfill reads its interval: runs that an event starts have none, and that of a manual run is yesterday's.
    """
    from liftgate.runs import Scope

    dag_run, params = context["dag_run"], context["params"]
    include, dry_run = tuple(params.get("include") or ()), bool(params.get("dry_run"))
    if dag_run.run_type == BACKFILL:
        return Scope(
            kind="some",
            updated_from=dag_run.data_interval_start,
            updated_until=dag_run.data_interval_end,
            include=include,
            forced=True,
            dry_run=dry_run,
        )
    if dag_run.run_type == EVENT and (named := _named_by(context)):
        return Scope(kind="some", named=named)
    forced = bool(params.get("force"))
    return Scope(kind="some" if include else "whole", include=include, forced=forced, dry_run=dry_run)


def _named_by(context: Context) -> frozenset[tuple[str, str]]:
    """The documents that the events name. Empty where one of them names none: then the run looks at everything.

    Example: extra {"source": "wiki", "changed": ["a.md"], "deleted": ["b.md"]} -> {("wiki", "a.md"), ("wiki", "b.md")}
    """
    named: set[tuple[str, str]] = set()
    for event in chain.from_iterable(context["triggering_asset_events"].values()):
        uris = [uri for what in ("changed", "deleted") for uri in _list(event.extra.get(what))]
        if not uris:
            return frozenset()
        named |= {(str(event.extra.get("source") or ""), str(uri)) for uri in uris}
    return frozenset(named)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def allowances(context: Context) -> Allowances:
    """The brakes that somebody lets this run pass, from its params. A run without such params passes none."""
    from liftgate.runs import Allowances

    params = context["params"]
    return Allowances(**{name: params.get(f"allow_{name}_up_to") for name in Allowances.model_fields})


def run_params() -> dict[str, Param]:
    """The form of a run of a knowledge base. All may stay empty; then nothing is out of the ordinary."""
    return {
        "include": Param(
            [],
            title="Only these documents",
            description="Patterns of paths, one a line, like `hr/**`. Absence means nothing then. Empty: everything.",
            type=["array", "null"],
            items={"type": "string", "minLength": 1},
        ),
        "force": Param(
            False,
            title="Parse again what is unchanged",
            description="Opens every document in scope, and goes on where there would be nothing to do.",
            type="boolean",
        ),
        "dry_run": Param(
            False,
            title="Only say what would be done",
            description="The log of stop_if_dry_run has documents by what would become of them, and the cost.",
            type="boolean",
        ),
        "allow_removals_up_to": _allowance("removals", "documents to remove from the index"),
        "allow_widenings_up_to": _allowance("widenings", "documents to become readable by more groups"),
        "allow_opened_up_to": _allowance("opened", "documents to open and embed"),
    }


def _allowance(name: str, what: str) -> Param:
    return Param(
        None,
        title=f"Allow {name} up to",
        description=f"How many {what} this one run may have. Empty: the configured brake holds.",
        type=["null", "integer"],
        minimum=0,
    )
