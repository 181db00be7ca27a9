"""Waits for the end of a PyTorchJob and shows its log meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from liftgate.errors import ClusterUnavailable, JobRefused
from liftgate.jobs import pods
from liftgate.jobs.api import wait_seconds
from liftgate.jobs.backend import JobRef, JobState, Phase
from liftgate.jobs.kinds import kind_named
from liftgate.jobs.progress import Progress, progress_in
from liftgate_airflow.job_events import OVERDUE, REFUSED, JobEvent
from liftgate_airflow.triggers.own_task import states_of

if TYPE_CHECKING:
    from liftgate_airflow.hooks.pytorchjob import AsyncPyTorchJobHook

LONGEST_SILENCE_SECONDS = 60.0
KILL_SECONDS = 25.0
"""Airflow gives on_kill half a minute."""
UNAUTHORISED, LOGINS = 401, 5
"""So many refused logins in a row count; fewer are a token that is being renewed."""
PROGRESS = "progress"
"""The XCom of the waiting task that says how far its job is, renewed at most once a poll."""

_ENDING: set[asyncio.Task[None]] = set()


class PyTorchJobTrigger(BaseTrigger):
    """Polls a PyTorchJob (or a TrainJob) until it has ended, is gone, or its deadline is over, and fires what it found.

    An API server that does not answer is asked again, less often, for as long as it takes: the job does not need us.
    """

    def __init__(
        self,
        namespace: str,
        name: str,
        uid: str | None,
        kind: str = "PyTorchJob",
        kubernetes_conn_id: str = "kubernetes_default",
        poll_seconds: float = 10,
        deadline: float | None = None,
        show_log: bool = True,
        cancel_on_kill: bool = True,
        connection_extras: dict[str, Any] | None = None,
    ):
        """uid: None waits for whatever job first has the name, even if there is none yet. deadline: seconds since 1970.

        connection_extras: those of the connection, where it was read already (in a worker).
        """
        super().__init__()
        self.ref = JobRef(kind, namespace, name, uid or "")
        self.kubernetes_conn_id = kubernetes_conn_id
        self.poll_seconds = poll_seconds
        self.deadline = deadline
        self.show_log = show_log
        self.cancel_on_kill = cancel_on_kill
        self._connection_extras = connection_extras
        self._made_hook: AsyncPyTorchJobHook | None = None
        self._cursor = LogCursor()
        self._shown: Progress | None = None
        self._said: set[str] = set()
        self._seen: dict[str, pods.PodReport] = {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What the triggerer makes this trigger from."""
        return (
            "liftgate_airflow.triggers.pytorchjob.PyTorchJobTrigger",
            {
                "namespace": self.ref.namespace,
                "name": self.ref.name,
                "uid": self.ref.uid or None,
                "kind": self.ref.kind,
                "kubernetes_conn_id": self.kubernetes_conn_id,
                "poll_seconds": self.poll_seconds,
                "deadline": self.deadline,
                "show_log": self.show_log,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fires one JobEvent."""
        event = await self.first()
        yield TriggerEvent(event)

    async def first(self) -> dict[str, Any]:
        """The event, for whoever waits without a triggerer."""
        failures, refusals = 0, 0
        while True:
            try:
                state = await self._state()
                await self._tell(state)
                failures, refusals, pause = 0, 0, self.poll_seconds
            except ClusterUnavailable as error:
                failures += 1
                pause = min(self.poll_seconds + wait_seconds(failures, error.retry_after), LONGEST_SILENCE_SECONDS)
                await self.log.awarning(f"{error} Next try in {pause:.0f} s.")
                await asyncio.sleep(pause)
                continue
            except JobRefused as error:
                refusals += 1
                if error.status == UNAUTHORISED and refusals < LOGINS:  # a token is being renewed
                    await asyncio.sleep(self.poll_seconds)
                    continue
                goes_on = f"{error} {self.ref.name} may still run: clear this task to wait for it again, or delete it."
                return self._event(REFUSED, JobState(Phase.PENDING, message=goes_on))
            if state.phase.ended:
                return self._event(state.phase, state)
            if self.deadline is not None and time.time() > self.deadline:
                said = f"the job was {state.phase} when its deadline was over"
                return self._event(OVERDUE, replace(state, message=said))
            await asyncio.sleep(pause)

    async def on_kill(self) -> None:
        """Delete the job when a person ends the deferred task. Restarts of the triggerer do not come here."""
        if not self.cancel_on_kill:
            return
        ending = asyncio.create_task(self._end_job())
        _ENDING.add(ending)  # a task that nobody holds may be collected while it runs
        ending.add_done_callback(_ENDING.discard)
        # The triggerer cancels this again at its every look, which is once a second.
        await asyncio.shield(ending)

    async def _end_job(self) -> None:
        if await self._still_waits():
            return
        until = time.monotonic() + KILL_SECONDS
        while True:
            try:
                await (await self._hook()).delete(self.ref)
            except ClusterUnavailable as error:
                if time.monotonic() > until:
                    await self.log.aerror(f"{error} {self.ref.name} still runs: delete it by hand.")
                    return
                await asyncio.sleep(1)
            else:
                await self.log.ainfo(f"{self.ref.name} is deleted, since the task was ended by hand.")
                return

    async def _still_waits(self) -> bool:
        """Whether the task is deferred all the same: then only another triggerer has taken it over from this one."""
        return "deferred" in await states_of(self.task_instance)

    async def _state(self) -> JobState:
        if not self.ref.uid:
            found = await (await self._hook()).job(self.ref)
            if found is None:
                return JobState(Phase.PENDING, message="There is no such job yet.")
            self.ref = replace(self.ref, uid=found["metadata"]["uid"])
        return await (await self._hook()).state(self.ref)

    async def _hook(self) -> AsyncPyTorchJobHook:
        if self._made_hook is None:
            self._made_hook = await asyncio.to_thread(self._make_hook)
        return self._made_hook

    def _make_hook(self) -> AsyncPyTorchJobHook:
        # Importing the clients takes a second or more, in which no other trigger would go on.
        from liftgate_airflow.hooks.pytorchjob import AsyncPyTorchJobHook

        return AsyncPyTorchJobHook(conn_id=self.kubernetes_conn_id, connection_extras=self._connection_extras)

    def _event(self, phase: str, state: JobState) -> dict[str, Any]:
        return JobEvent.of(phase, self.ref, state, self._cursor.progress, self._seen.values()).as_json()

    async def _tell(self, state: JobState) -> None:
        """New lines of the Master, and once each: where the job stands and what is wrong with its pods."""
        if state.phase is Phase.LOST:
            return
        await self._say_once(f"{self.ref.name}: {state.phase}. {state.message}".rstrip())
        if not self.ref.uid:
            return
        try:
            await self._tell_of_pods(state)
        except JobRefused as error:  # who may not read logs can still learn how the job ends
            await self._say_once(str(error))

    async def _tell_of_pods(self, state: JobState) -> None:
        found = await (await self._hook()).pods(self.ref)
        for pod in found if state.phase is not Phase.SUCCEEDED else ():
            if trouble := pods.trouble_of(pod):
                name, container = pod["metadata"]["name"], kind_named(self.ref.kind).container
                self._seen[name] = pods.PodReport(name, trouble, exit_code=pods.exit_code_of(pod, container))
                await self._say_once(f"{name} {trouble}")
        if self.show_log and found:
            for line in await self._new_lines(found[0]):
                await self.log.ainfo(line)
            await self._show_progress()

    async def _show_progress(self) -> None:
        """Where people look without opening a log: beside the task, while it is deferred."""
        progress, ti = self._cursor.progress, self.task_instance
        if ti is None or progress is None or progress == self._shown:
            return
        from airflow.sdk.exceptions import AirflowRuntimeError
        from airflow.sdk.execution_time.comms import SetXCom
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        place = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
        try:
            await SUPERVISOR_COMMS.asend(SetXCom(key=PROGRESS, value=asdict(progress), **place))
        except AirflowRuntimeError as error:  # the job goes on, and so does waiting for it
            await self._say_once(f"Its progress cannot be shown: {error}")
        self._shown = progress

    async def _new_lines(self, pod: dict[str, Any]) -> list[str]:
        hook = await self._hook()
        return self._cursor.new(await hook.log_lines(kind_named(self.ref.kind), pod, self._cursor.since))

    async def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            await self.log.ainfo(sentence)


@dataclass
class LogCursor:
    """How far a log was shown. The server gives whole seconds again, so what is known of the last ones is left out."""

    since: datetime | None = None
    progress: Progress | None = None
    _shown: set[tuple[str, str]] = field(default_factory=set)

    def new(self, lines: list[tuple[str, str]]) -> list[str]:
        """Lines that were not shown before; a line of progress also tells how much is left.

        Example: [("...01Z", "a")], then [("...01Z", "a"), ("...02Z", "b")] -> ["a"], then ["b"]
        """
        fresh = [one for one in lines if one not in self._shown]
        if lines:
            self._shown = set(lines)
            self.since = _time(lines[-1][0]) or self.since
        return [self._shown_as(line) for _, line in fresh]

    def _shown_as(self, line: str) -> str:
        found = progress_in(line)
        if found is None:
            return line
        self.progress = found
        return str(found)


def _time(stamp: str) -> datetime | None:
    """The time of a line; nodes write it in their own zone, to the nanosecond."""
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return None
