"""`liftgate adapters`: which adapter came from what."""

from __future__ import annotations

from typing import Annotated

import typer

from liftgate.cli.releases import KnowledgeBase

app = typer.Typer(help="Adapters: what each was made from, and how it was judged.", no_args_is_help=True)

Digest = Annotated[str, typer.Argument(metavar="DIGEST", help="The adapter's digest, or how it begins.")]


@app.command("list")
def list_adapters(kb: KnowledgeBase) -> None:
    """Every registered adapter with its base, data, loss and verdict."""
    from liftgate.cli.adapter_tables import overview
    from liftgate.cli.session import known_database, open_runtime, tell

    with known_database(), open_runtime().database.transaction() as connection:
        tell(overview(connection, kb))


@app.command()
def show(kb: KnowledgeBase, digest: Digest) -> None:
    """One adapter: all that it came from, its metrics, and the hash of each file."""
    from liftgate.cli.adapter_tables import details
    from liftgate.cli.session import known_database, open_runtime, tell

    with known_database(), open_runtime().database.transaction() as connection:
        tell(details(connection, kb, digest))
