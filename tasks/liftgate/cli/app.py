"""The commands. What they need is imported when they run, so that `liftgate --help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from liftgate.cli import adapters, releases
from liftgate.errors import ConfigurationError, LiftgateError

CONFIGURATION_EXIT_CODE = 2


class _Commands(TyperGroup):
    """Says what went wrong in one message, without a traceback, wherever Liftgate knows what went wrong."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LiftgateError as error:
            typer.echo(str(error), err=True)
            code = CONFIGURATION_EXIT_CODE if isinstance(error, ConfigurationError) else 1
            raise typer.Exit(code) from error


app = typer.Typer(
    cls=_Commands,
    name="liftgate",
    help="Nothing goes live that was not shown to hold what is live.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables could show a database's password.
    pretty_exceptions_enable=False,
)
app.add_typer(releases.app, name="releases")
app.add_typer(adapters.app, name="adapters")
database_app = typer.Typer(help="The database of Liftgate.", no_args_is_help=True)
app.add_typer(database_app, name="db")

KnowledgeBaseName = Annotated[str, typer.Argument(metavar="KB", help="Name of the knowledge base.")]


@app.command()
def ask(
    kb: KnowledgeBaseName,
    question: Annotated[str, typer.Argument(help="The question.")],
    group: Annotated[list[str], typer.Option(help="A group of who asks. Repeat it for several.")],
    reader: Annotated[str | None, typer.Option(help="Who asks: some readers get a canary, while one runs.")] = None,
) -> None:
    """Answer a question as the live release does, on behalf of somebody with these groups."""
    from liftgate.cli.ask import ask as answer
    from liftgate.cli.session import open_runtime, quietly, tell

    runtime = open_runtime()
    with quietly("answering"):
        answered = answer(runtime, kb, question, tuple(group), reader)
    tell(answered.lines())


@app.command()
def outcomes(
    kb: KnowledgeBaseName,
    rows: Annotated[
        typer.FileText,
        typer.Argument(help="JSONL, - for standard input: canary, side, reader, request and good of a request a line."),
    ],
) -> None:
    """Report what became of requests while a canary runs. A request that was reported already counts once."""
    from liftgate.cli.outcomes import report
    from liftgate.cli.session import known_database, open_runtime

    with known_database():
        typer.echo(report(open_runtime(), kb, rows))


@app.command()
def gate(
    rows: Annotated[Path, typer.Argument(help="JSONL: one object with question, context and answer a line.")],
) -> None:
    """Judge answers by the cheap gate. Exit code 0: pass, 1: fail, 2: no rows."""
    from liftgate.gate.cheap import gate_rows

    report = gate_rows(rows)
    typer.echo(report.sentence)
    for condition in report.failing:
        typer.echo(f"  {condition}: rows {', '.join(str(number) for number in report.failed[condition])}")
    raise typer.Exit(report.exit_code)


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(help="The file of a knowledge base.")],
) -> None:
    """Show what a run would do and cost. Nothing is written."""
    from liftgate.cli.plan import forecast, lines
    from liftgate.cli.session import open_runtime, quietly, tell

    runtime = open_runtime()
    with quietly("listing the sources"):
        found = forecast(runtime, file)
    tell(lines(found))


@app.command()
def doctor(
    config: Annotated[
        list[Path] | None, typer.Option(help="The file of a knowledge base or adapter. Repeat it for several.")
    ] = None,
) -> None:
    """Check every setting and connection. Exit code 1: there are problems, each is shown with its remedy."""
    from liftgate.cli.doctor import check_this_process
    from liftgate.cli.session import quietly, tell

    with quietly("checking"):
        findings = check_this_process(config or [])
    tell(finding.line() for finding in findings)
    problems = sum(not finding.ok for finding in findings)
    typer.echo(f"{len(findings)} checks, {problems} problem(s).")
    raise typer.Exit(1 if problems else 0)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Your DAG bundle's folder.")],
) -> None:
    """Write the DAGs and a first knowledge base into a DAG bundle. Files that are there stay as they are."""
    from liftgate.cli.init import write_files

    for path, written in write_files(folder):
        typer.echo(f"{'written' if written else 'kept   '}  {path}")


@database_app.command()
def upgrade() -> None:
    """Bring the database up to this version."""
    from liftgate.cli.session import open_runtime

    applied = open_runtime().database.upgrade()
    typer.echo(f"Applied: {', '.join(applied)}" if applied else "The database is up to date.")
