from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from liftgate.sources.connections import Connection, Connections


@pytest.fixture
def connections() -> Callable[[Connection], Connections]:
    """Connections of which there is one, called `docs`."""

    def make(connection: Connection) -> Connections:
        return {"docs": connection}.__getitem__

    return make


@pytest.fixture(autouse=True)
def _mirrors_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
