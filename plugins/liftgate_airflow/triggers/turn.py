"""Waits for the writer's turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from liftgate_airflow.connection import async_runtime_from_connection

if TYPE_CHECKING:
    from liftgate.runtime import Runtime
    from liftgate.turns import Turn, Waiting


class TurnTrigger(BaseTrigger):
    """Asks for the turn every few seconds, which also keeps the run's place in the queue, and fires when it has it."""

    def __init__(self, run: str, poll_seconds: float):
        super().__init__()
        self.run_key = run
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What the triggerer makes this trigger from."""
        return (
            "liftgate_airflow.triggers.turn.TurnTrigger",
            {"run": self.run_key, "poll_seconds": self.poll_seconds},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the turn is this run's. Logs who is waited for, once for each."""
        from liftgate.turns import Waiting

        runtime, holder = await async_runtime_from_connection(), None
        while isinstance(turn := await asyncio.to_thread(self._take, runtime), Waiting):
            if turn.holder != holder:
                await self.log.ainfo(f"{self.run_key} is {turn}.")
                holder = turn.holder
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"fence": turn.fence})

    async def on_kill(self) -> None:
        """Leave the queue when a person ends the task, so that others need not wait for a run that is gone."""
        await asyncio.to_thread(self._leave, await async_runtime_from_connection())

    def _take(self, runtime: Runtime) -> Turn | Waiting:
        from liftgate.runs import load_run
        from liftgate.turns import take_turn

        return take_turn(runtime, load_run(runtime.database, self.run_key))

    def _leave(self, runtime: Runtime) -> None:
        from liftgate.runs import load_run
        from liftgate.turns import release_turn

        release_turn(runtime, load_run(runtime.database, self.run_key))
