"""Waits for the end of a canary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from liftgate_airflow.connection import async_runtime_from_connection
from liftgate_airflow.step import is_silent_database
from liftgate_airflow.triggers.own_task import states_of

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
        while left := await self._look(runtime):
            await asyncio.sleep(min(self.poll_seconds, left))
        yield TriggerEvent({"release": self.release})

    async def on_kill(self) -> None:
        """End the canary when a person marks the task as failed. Who clears it only wants it to wait anew."""
        if "failed" in await states_of(self.task_instance):
            await asyncio.to_thread(self._end, await async_runtime_from_connection())

    async def _look(self, runtime: Runtime) -> float:
        """How long to wait. A database that does not answer for a while ends no wait of a day."""
        try:
            return await asyncio.to_thread(self._seconds_left, runtime)
        except Exception as error:
            if not is_silent_database(error):
                raise
            await self.log.awarning(f"The canary of release {self.release} cannot be looked at: {error}")
            return self.poll_seconds

    def _seconds_left(self, runtime: Runtime) -> float:
        from liftgate.releases.canary_steps import seconds_left
        from liftgate.runs import load_run

        return seconds_left(runtime, load_run(runtime.database, self.run_key), self.release)

    def _end(self, runtime: Runtime) -> None:
        from liftgate.releases.canary_steps import end_canary
        from liftgate.runs import load_run

        kb, why = load_run(runtime.database, self.run_key).kb, "its task in Airflow was marked as failed"
        end_canary(runtime, kb, self.release, by="airflow", run_id=self.run_key, why=why)
