"""An application that is built at its first request: a plugin is loaded in every process of Airflow, tasks included."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any


class LazyApp:
    """An ASGI application whose imports wait until somebody asks for it."""

    def __init__(self, build: Callable[[], Any]):
        self._build = build

    @cached_property
    def _app(self) -> Any:
        return self._build()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the built application does."""
        await self._app(scope, receive, send)
