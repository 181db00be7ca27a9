"""Waits until the documents of a knowledge base have changed and come to rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from liftgate.sources.changes import Seen

CURSOR = "documents"
"""The key of the watcher's cursor in the state store of its asset: the digest of the last listing that it fired for."""
EVENT_IS_KEPT_SECONDS = 5
"""The triggerer holds an event in memory for a second or so before it is in Airflow's database."""
_LISTINGS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="liftgate-listing")
"""Threads of their own: listings that take minutes must not keep other triggers from theirs."""


class DocumentsChangedTrigger(BaseEventTrigger):
    """Lists the sources every few seconds, and fires when they hold something new.

    As the watcher of an asset it goes on and on; its cursor survives restarts. In a task it fires once, against what
    is `known`. It takes the whole configuration as JSON: a triggerer need not have the files of the DAG bundle, unless
    a source is of a kind of your own in `sources/`. Then it needs that file, at the same path: without it, a task
    fails, and a watcher writes an error into the triggerer's log at each poll.
    """

    def __init__(
        self, config: str, sources: list[str], poll_seconds: float, settle_seconds: float, known: str | None = None
    ):
        super().__init__()
        self.config = config
        self.sources = sources
        self.poll_seconds = poll_seconds
        self.settle_seconds = settle_seconds
        self.known = known

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What the triggerer makes this trigger from."""
        names = ("config", "sources", "poll_seconds", "settle_seconds", "known")
        kwargs = {name: getattr(self, name) for name in names}
        return "liftgate_airflow.triggers.documents.DocumentsChangedTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll; changes that come in bursts make one event, once they have settled."""
        from liftgate.sources.changes import Settling

        settling = Settling(await self._known(), self.settle_seconds)
        while True:
            seen = await self._look()
            if seen is None or not settling.is_settled(seen.digest, time.monotonic()):
                await asyncio.sleep(
                    min(self.poll_seconds, self.settle_seconds) if settling.waits else self.poll_seconds
                )
                continue
            yield TriggerEvent(asdict(seen))
            if self.asset_state_store is None:
                return
            settling.knows(seen.digest)
            # Until the event is kept the old cursor stands: a restart now makes a second event rather than none.
            await asyncio.sleep(max(self.poll_seconds, EVENT_IS_KEPT_SECONDS))
            try:
                await self.asset_state_store.aset(CURSOR, asdict(seen))
            except Exception as error:  # the watch goes on, and a restart makes a second event
                await self.log.awarning(f"Airflow did not keep what was fired for: {error}")

    async def _known(self) -> str | None:
        """What was fired for last. Asked until there is an answer: without one, everything would be news."""
        if self.asset_state_store is None:
            return self.known
        while True:
            try:
                cursor = await self.asset_state_store.aget(CURSOR)
                return str(cursor["digest"]) if isinstance(cursor, dict) else None
            except Exception as error:  # whatever it is, one that leaves here ends the watch
                await self.log.awarning(f"Airflow did not say what was fired for last: {error}")
                await asyncio.sleep(self.poll_seconds)

    async def _look(self) -> Seen | None:
        """What the sources hold, or None where they do not say: that is logged, and the next poll asks again."""
        from liftgate.errors import ConfigurationError

        try:
            listing = partial(copy_context().run, self._list)
            return await asyncio.get_running_loop().run_in_executor(_LISTINGS, listing)
        except ConfigurationError as error:  # no poll can help, so whoever waits for a task has to see it
            if self.asset_state_store is None:
                raise
            await self.log.aerror(f"The sources cannot be listed: {error}")
        except Exception as error:
            await self.log.awarning(f"The sources could not be listed: {error}")
        return None

    def _list(self) -> Seen:
        from liftgate.config.knowledge_base import KnowledgeBase
        from liftgate.sources.changes import look
        from liftgate_airflow.connection import source_connection

        return look(KnowledgeBase.model_validate_json(self.config), source_connection, self.sources)
