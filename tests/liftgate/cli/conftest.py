"""The command line in this process, with the settings of the shared database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from liftgate.cli import app
from liftgate.runtime import Runtime

Command = Callable[..., Result]


@pytest.fixture
def liftgate(shared_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `liftgate` with these arguments."""
    for name, value in shared_runtime.settings.model_dump(exclude_none=True).items():
        monkeypatch.setenv(f"LIFTGATE_{name.upper()}", str(value))
    monkeypatch.setenv("COLUMNS", "240")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
