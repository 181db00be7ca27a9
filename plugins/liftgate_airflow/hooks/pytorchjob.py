"""PyTorchJobs through Airflow's Kubernetes connection for triggers, which may not block."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook

from liftgate.jobs.api_errors import EXISTS, MISSING, NOT_YET, explained, is_an_answer, status_of
from liftgate.jobs.backend import JobRef, JobState
from liftgate.jobs.kinds import kind_named
from liftgate.jobs.kubeflow import JobKind, state_of_found

Pod = dict[str, Any]
FIRST_LINES = 2000
"""So many lines of a log that was there before are shown: after a restart, or of a job that was found again."""
CLOCKS_DIFFER_SECONDS = 60
"""The server knows ages of lines only, by its own clock; so much is read again, and known lines are left out."""


class AsyncPyTorchJobHook(AsyncKubernetesHook):
    """What a trigger asks of the API server, one try each: the trigger decides how long to be patient.

    Every method raises ClusterUnavailable or JobRefused in place of an API client's exceptions.
    """

    async def state(self, ref: JobRef) -> JobState:
        """Where the job stands; LOST when it is gone or another one has its name."""
        return state_of_found(kind_named(ref.kind), await self.job(ref), ref.uid)

    async def job(self, ref: JobRef) -> dict[str, Any] | None:
        """Whatever job has this name, as the server has it, or None."""
        kind, namespace, name = kind_named(ref.kind), ref.namespace, ref.name

        async def get(api: Any) -> Any:
            client = _asyncio_client().CustomObjectsApi(api)
            return await client.get_namespaced_custom_object(kind.group, kind.version, namespace, kind.plural, name)

        found: dict[str, Any] | None = await self._ask(
            "get", f"{kind.plural} in namespace {namespace}", get, {MISSING: None}
        )
        return found

    async def pods(self, ref: JobRef) -> list[Pod]:
        """The pods of the job, the Master first."""
        kind = kind_named(ref.kind)

        async def get(api: Any) -> Any:
            client = _asyncio_client().CoreV1Api(api)
            answer = await client.list_namespaced_pod(
                ref.namespace, label_selector=kind.pods_selector.format(name=ref.name), _preload_content=False
            )
            return json.loads(await _content(answer))

        found = await self._ask("list", f"pods in namespace {ref.namespace}", get)
        return kind.own_pods(found["items"], ref.uid)

    async def log_lines(self, kind: JobKind, pod: Pod, since: datetime | None) -> list[tuple[str, str]]:
        """(time stamp, line) of a pod's log from about that time on; nothing while its container starts."""
        metadata = pod["metadata"]
        age = _age(since)

        async def get(api: Any) -> Any:
            answer = (
                await _asyncio_client()
                .CoreV1Api(api)
                .read_namespaced_pod_log(
                    metadata["name"],
                    metadata["namespace"],
                    container=kind.container,
                    timestamps=True,
                    _preload_content=False,
                    **age,
                )
            )
            return await _content(answer)

        what = f"pods/log in namespace {metadata['namespace']}"
        read: bytes = await self._ask("get", what, get, {MISSING: b"", NOT_YET: b""})
        return await asyncio.to_thread(_lines, read)

    async def delete(self, ref: JobRef) -> None:
        """Deletes the job after its pods; one that is gone, or another one by now, is left alone."""
        kind = kind_named(ref.kind)
        body = {"propagationPolicy": "Foreground", "preconditions": {"uid": ref.uid}}

        async def call(api: Any) -> Any:
            client = _asyncio_client().CustomObjectsApi(api)
            await client.delete_namespaced_custom_object(
                kind.group, kind.version, ref.namespace, kind.plural, ref.name, body=body
            )

        await self._ask("delete", f"{kind.plural} in namespace {ref.namespace}", call, {MISSING: None, EXISTS: None})

    async def _ask(
        self, verb: str, what: str, call: Callable[[Any], Awaitable[Any]], or_else: Mapping[int, Any] | None = None
    ) -> Any:
        try:
            async with self.get_conn() as api:
                return await call(api)
        except Exception as error:
            status = status_of(error) or 0
            if or_else and status in or_else:
                return or_else[status]
            if not is_an_answer(error):
                raise
            raise explained(error, verb, what) from error


def _age(since: datetime | None) -> dict[str, int]:
    if since is None:
        return {"tail_lines": FIRST_LINES}
    return {"since_seconds": max(1, int((datetime.now(UTC) - since).total_seconds()) + CLOCKS_DIFFER_SECONDS)}


def _asyncio_client() -> Any:
    from kubernetes_asyncio import client

    return client


async def _content(answer: Any) -> bytes:
    """The body of an answer that was not read yet: there, the client leaves errors to its caller."""
    read: bytes = await answer.read()
    if answer.status >= 300:
        error = _asyncio_client().ApiException(status=answer.status, reason=answer.reason)
        error.body, error.headers = read, answer.headers
        raise error
    return read


def _lines(read: bytes) -> list[tuple[str, str]]:
    """(time stamp, line). Of a progress bar, which is written over and over on its line, the last state counts.

    Example: b"2026-01-01T00:00:01Z 10 %\r20 %\n" -> [("2026-01-01T00:00:01Z", "20 %")]
    """
    found = (line.rstrip("\r").partition(" ") for line in read.decode(errors="replace").split("\n") if line)
    return [(stamp, said.rpartition("\r")[2]) for stamp, _, said in found]
