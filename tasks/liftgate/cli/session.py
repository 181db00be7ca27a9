"""What the commands share: the runtime, who acts, and how things are shown."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from liftgate.errors import ConfigurationError

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def open_runtime() -> Runtime:
    """A runtime from the settings in the environment. Raises ConfigurationError with all that are missing."""
    from liftgate.runtime import Runtime
    from liftgate.settings import Settings

    return Runtime(Settings.from_environment())


def by_whom() -> str:
    """The person at the keyboard, for the ledger. In a container a user may have a number only."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def run_id() -> str:
    """A name for what this command does in the ledger."""
    from datetime import UTC, datetime

    return f"cli:{by_whom()}:{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"


@contextlib.contextmanager
def known_database() -> Iterator[None]:
    """Turn the errors of a database that lacks tables or columns into one that says what to do."""
    from psycopg.errors import UndefinedColumn, UndefinedTable

    try:
        yield
    except (UndefinedColumn, UndefinedTable) as error:
        raise ConfigurationError(
            "Expected a database with the tables of this version, found one without. Run: liftgate db upgrade"
        ) from error


@contextlib.contextmanager
def quietly(what: str) -> Iterator[None]:
    """Show a spinner instead of the progress that the steps print, which is meant for a task's log."""
    from rich.console import Console

    with (
        known_database(),
        Console(stderr=True).status(what),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        yield


def tell(lines: Iterable[Any]) -> None:
    """Show lines of text and tables. Text is shown as it is: brackets in an answer are no markup."""
    from rich.console import Console

    console = Console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=isinstance(line, str))
