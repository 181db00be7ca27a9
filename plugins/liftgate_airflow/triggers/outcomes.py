"""Waits for the end of a canary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from liftgate_airflow.connection import async_runtime_from_connection

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


class OutcomesTrigger(BaseTrigger):
    """Looks at the outcomes of a canary now and then, and fires when it can be judged or something else ended it."""

    def __init__(self, run: str, release: int, poll_seconds: float):
        super().__init__()
        self.run_key = run
        self.release = release
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What the triggerer makes this trigger from."""
        given = {"run": self.run_key, "release": self.release, "poll_seconds": self.poll_seconds}
        return ("liftgate_airflow.triggers.outcomes.OutcomesTrigger", given)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is nothing more to wait for."""
        runtime = await async_runtime_from_connection()
        while left := await asyncio.to_thread(self._seconds_left, runtime):
            await asyncio.sleep(min(self.poll_seconds, left))
        yield TriggerEvent({"release": self.release})

    async def on_kill(self) -> None:
        """End the canary when a person ends the task: whoever does that wants readers to have what is live."""
        await asyncio.to_thread(self._end, await async_runtime_from_connection())

    def _seconds_left(self, runtime: Runtime) -> float:
        from liftgate.releases.canary_steps import seconds_left
        from liftgate.runs import load_run

        return seconds_left(runtime, load_run(runtime.database, self.run_key), self.release)

    def _end(self, runtime: Runtime) -> None:
        from liftgate.releases.canary_steps import end_canary
        from liftgate.runs import load_run

        kb, why = load_run(runtime.database, self.run_key).kb, "its task in Airflow was ended by hand"
        end_canary(runtime, kb, self.release, by="airflow", run_id=self.run_key, why=why)
