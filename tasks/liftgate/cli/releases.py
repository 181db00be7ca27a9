"""`liftgate releases`: the ledger, and the steps that a person may take in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(help="Releases: what is live, what was judged how, and the way back.", no_args_is_help=True)

KnowledgeBase = Annotated[str, typer.Argument(metavar="KB", help="Name of the knowledge base.")]
Number = Annotated[int, typer.Argument(metavar="N", help="Number of the release.")]
Why = Annotated[str, typer.Option(help="The reason; it stays in the ledger.")]


class RollbackKind(StrEnum):
    """What it takes to go forward again: after the first two the old verdict stands."""

    DRILL = "drill"
    OPERATIONAL = "operational"
    QUALITY = "quality"
    LEGAL = "legal"


class Part(StrEnum):
    """One component of a release."""

    RETRIEVAL = "retrieval"
    PROMPT = "prompt"
    ADAPTER = "adapter"


@app.command("list")
def list_releases(kb: KnowledgeBase) -> None:
    """Every release with its outcome and verdict."""
    from liftgate.cli.release_tables import overview
    from liftgate.cli.session import known_database, open_runtime, tell

    with known_database(), open_runtime().database.transaction() as connection:
        tell(overview(connection, kb))


@app.command()
def show(kb: KnowledgeBase, n: Number) -> None:
    """One release: what it is made of, and its verdict, computed again from the rows of evidence."""
    from liftgate.cli.release_tables import details
    from liftgate.cli.session import known_database, open_runtime, tell

    with known_database(), open_runtime().database.transaction() as connection:
        tell(details(connection, kb, n))


@app.command()
def promote(
    kb: KnowledgeBase,
    n: Number,
    why: Why,
    override: Annotated[bool, typer.Option(help="Answer for it yourself where the gate did not promote.")] = False,
) -> None:
    """Make a release live, if the ledger allows it. A leak or failed data quality is never overridden."""
    from liftgate.cli.session import by_whom, known_database, open_runtime, run_id
    from liftgate.releases import promotion

    runtime, by, run = open_runtime(), by_whom(), run_id()
    with known_database():
        if override:
            promotion.override(runtime, kb, n, by=by, run_id=run, why=why)
        outcome = promotion.promote(runtime, kb, n, by=by, run_id=run, why=why)
    if outcome == "promoted":
        _say_who_is_told(kb)
    raise typer.Exit(0 if outcome == "promoted" else 1)


@app.command()
def roll_back(
    kb: KnowledgeBase,
    n: Number,
    kind: Annotated[RollbackKind, typer.Option(help="After quality and legal, going forward takes new evidence.")],
    why: Why,
    part: Annotated[Part | None, typer.Option(help="Go back with this component only.")] = None,
) -> None:
    """Make an earlier release live, and hold promotions until `resume`. What a part made new is judged at once."""
    from liftgate.cli.session import by_whom, known_database, open_runtime, run_id
    from liftgate.evaluation.judge_release import judge_release
    from liftgate.releases import rollback
    from liftgate.runs import freeze_as_before

    runtime, run = open_runtime(), run_id()
    with known_database():
        made = rollback.roll_back(
            runtime,
            kb,
            n,
            kind=kind.value,
            why=why,
            by=by_whom(),
            run_id=run,
            part=part.value if part else None,
        )
        _say_who_is_told(kb)
        if part:
            judge_release(runtime, freeze_as_before(runtime, kb, run), made)


@app.command()
def resume(kb: KnowledgeBase, why: Why = "") -> None:
    """Lift the hold on promotions."""
    from liftgate.cli.session import by_whom, known_database, open_runtime, run_id
    from liftgate.releases import rollback

    with known_database():
        if rollback.resume(open_runtime(), kb, by=by_whom(), run_id=run_id(), why=why):
            _say_who_is_told(kb)
        else:
            typer.echo(f"There is no hold on promotions of {kb}.")


@app.command()
def end_canary(kb: KnowledgeBase, n: Number, why: Why) -> None:
    """End the canary of a release at once: all readers get what is live. Its adapter is rejected."""
    from liftgate.cli.session import by_whom, known_database, open_runtime, run_id
    from liftgate.releases import canary_steps

    with known_database():
        if canary_steps.end_canary(open_runtime(), kb, n, by=by_whom(), run_id=run_id(), why=why):
            _say_who_is_told(kb)
        else:
            typer.echo(f"No canary of release {n} of {kb} runs.")


def _say_who_is_told(kb: str) -> None:
    typer.echo(f"Nobody is told yet: notifiers are Airflow's. The next run about {kb} tells whomever `notify` names.")
