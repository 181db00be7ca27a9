"""The watcher and the sensor of documents, over real folders and a real ledger."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from small_configuration import write_small
from structlog.testing import capture_logs

from liftgate.config.reading import read_knowledge_base
from liftgate.errors import ConfigurationError
from liftgate.plan import plan_changes
from liftgate.runs import Allowances, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate.sources.listing import list_sources
from liftgate.turns import take_turn
from liftgate_airflow.dag import sources_assets
from liftgate_airflow.sensors.documents import DocumentsChangedSensor
from liftgate_airflow.triggers import documents
from liftgate_airflow.triggers.documents import CURSOR, DocumentsChangedTrigger

pytestmark = pytest.mark.slow


class Store(dict[str, Any]):
    """What Airflow keeps for an asset, in the memory of the test; a new trigger on it is a triggerer that restarted."""

    async def aget(self, key: str) -> Any:
        return self.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self[key] = value


class Watcher:
    """A trigger that runs until the test is over, and what it fired."""

    def __init__(self, file: Path, store: Store, settle_seconds: float = 0):
        config = read_knowledge_base(file)
        watching = DocumentsChangedTrigger(config.model_dump_json(), ["documents"], 0.02, settle_seconds)
        path, kwargs = watching.serialize()
        assert path.endswith(DocumentsChangedTrigger.__name__)
        self.trigger = DocumentsChangedTrigger(**json.loads(json.dumps(kwargs)))
        self.trigger.asset_state_store = store  # type: ignore[assignment]
        self.fired: list[dict[str, Any]] = []
        self.listings = 0

    async def __aenter__(self) -> Watcher:
        self._task = asyncio.create_task(self._collect())
        return self

    async def __aexit__(self, *ended: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def count(self, number: int) -> None:
        """Wait for that many events."""
        async with asyncio.timeout(30):
            while len(self.fired) < number:
                await asyncio.sleep(0.01)

    async def polls(self, number: int = 5) -> None:
        """Wait for that many listings."""
        until = self.listings + number
        async with asyncio.timeout(30):
            while self.listings < until:
                await asyncio.sleep(0.01)

    async def _collect(self) -> None:
        look = self.trigger._look

        async def counted() -> Any:
            found = await look()
            self.listings += 1
            return found

        self.trigger._look = counted  # type: ignore[method-assign]
        async for event in self.trigger.run():
            self.fired.append(event.payload)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(documents, "EVENT_IS_KEPT_SECONDS", 0.1)
    return write_small(tmp_path)


def write(file: Path, name: str, text: str = "Some text.") -> None:
    (file.parents[1] / "documents" / name).write_text(f"# {name}\n\n{text}\n")


def test_watcher_fires_for_what_changed_and_for_nothing_else(file: Path) -> None:
    async def story() -> None:
        store = Store()
        async with Watcher(file, store) as watcher:
            await watcher.count(1)
            await watcher.polls()
            assert [event["documents"] for event in watcher.fired] == [1]
            write(file, "b.md")
            await watcher.count(2)
            write(file, "b.md", "Other text, longer than the first.")
            await watcher.count(3)
            await watcher.polls()
        assert [event["documents"] for event in watcher.fired] == [1, 2, 2]
        assert store[CURSOR] == watcher.fired[-1]

    asyncio.run(story())


def test_watcher_that_restarts_goes_on_from_its_cursor(file: Path) -> None:
    async def story() -> None:
        store = Store()
        async with Watcher(file, store) as first:
            await first.count(1)
            await first.polls(1)
        write(file, "meanwhile.md")
        async with Watcher(file, store) as second:
            await second.count(1)
            await second.polls()
        async with Watcher(file, store) as third:
            await third.polls()
        assert (len(second.fired), len(third.fired)) == (1, 0)

    asyncio.run(story())


def test_event_that_was_not_kept_when_the_triggerer_stopped_is_fired_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "EVENT_IS_KEPT_SECONDS", 60)

    async def story() -> None:
        store = Store()
        for _ in range(2):
            async with Watcher(file, store) as watcher:
                await watcher.count(1)
        assert store == {}

    asyncio.run(story())


def test_half_written_upload_fires_once_it_is_whole(file: Path) -> None:
    async def story() -> None:
        async with Watcher(file, Store(), settle_seconds=1.5) as watcher:
            for part in range(10):
                write(file, "big.md", "part " * (part + 1))
                await watcher.polls(2)
            assert watcher.fired == []
            await watcher.count(1)
            await watcher.polls()
        assert [event["documents"] for event in watcher.fired] == [2]

    asyncio.run(story())


def test_source_that_cannot_be_listed_is_asked_again(file: Path) -> None:
    async def story() -> None:
        folder = file.parents[1] / "documents"
        watcher = Watcher(file, Store())
        folder.rename(folder.with_name("away"))
        async with watcher:
            await watcher.polls(3)
            assert watcher.fired == []
            folder.with_name("away").rename(folder)
            await watcher.count(1)

    asyncio.run(story())


class Unreachable(Store):
    """Airflow while its API server does not answer, a few times each."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = {"aget": 3, "aset": 1}

    async def aget(self, key: str) -> Any:
        self._fail("aget")
        return await super().aget(key)

    async def aset(self, key: str, value: Any) -> None:
        self._fail("aset")
        await super().aset(key, value)

    def _fail(self, name: str) -> None:
        self.failures[name] -= 1
        if self.failures[name] >= 0:
            raise ConnectionError("no answer")


def test_watch_outlives_an_airflow_that_does_not_answer(file: Path) -> None:
    async def story() -> None:
        store = Unreachable()
        async with Watcher(file, store) as watcher:
            await watcher.count(1)
            await watcher.polls()
            assert (store, watcher.fired[-1]["documents"]) == ({}, 1)
            write(file, "b.md")
            await watcher.count(2)
            await watcher.polls()
        assert store[CURSOR] == watcher.fired[-1]

    asyncio.run(story())


def test_kind_that_the_triggerer_has_no_file_of_fails_a_task_and_is_an_error_of_a_watcher(file: Path) -> None:
    kind = file.parents[1] / "sources" / "own.py"
    kind.parent.mkdir()
    kind.write_text("from liftgate.sources import SourceBlock\n\nclass Own(SourceBlock):\n    pass\n")
    file.write_text(file.read_text().replace("type: folder, path: ../documents", "type: own"))

    async def story() -> None:
        watcher = Watcher(file, Store())
        kind.unlink()
        with capture_logs() as logs:
            async with watcher:
                await watcher.polls(2)
        assert {(line["log_level"], str(kind) in line["event"]) for line in logs} == {("error", True)}
        watcher.trigger.asset_state_store = None
        with pytest.raises(ConfigurationError, match="no such file on this machine"):
            await anext(watcher.trigger.run())

    asyncio.run(story())


def test_watch_is_off_unless_the_file_asks_for_it(file: Path) -> None:
    assert [asset.uri for asset in sources_assets(read_knowledge_base(file))] == ["liftgate://small/sources"]
    file.write_text(file.read_text() + "watch: {poll_seconds: 5}\n")
    plain, watched = sources_assets(read_knowledge_base(file))
    assert (plain.watchers, watched.uri) == ([], "liftgate://small/watched")
    (watcher,) = watched.watchers
    assert isinstance(watcher.trigger, DocumentsChangedTrigger)
    assert (watcher.trigger.poll_seconds, watcher.trigger.settle_seconds) == (5, 30)


def sensor(file: Path, **options: Any) -> DocumentsChangedSensor:
    return DocumentsChangedSensor(
        task_id="wait", knowledge_base=str(file), poll_seconds=0.05, settle_seconds=0, **options
    )


def test_sensor_waits_for_what_no_run_has_planned_from(
    file: Path, runtime: Runtime, airflow_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = freeze_configuration(runtime, file, "kb_small:1", Scope(), Allowances())
    list_sources(runtime, run)
    take_turn(runtime, run)
    plan_changes(runtime, run)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(file).execute({})  # type: ignore[typeddict-item]
    trigger = deferred.value.trigger
    assert isinstance(trigger, DocumentsChangedTrigger)

    async def story() -> Any:
        waiting = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        write(file, "b.md")
        return (await asyncio.wait_for(waiting, 30)).payload

    assert asyncio.run(story())["documents"] == 2


def test_sensor_that_may_not_defer_waits_in_its_worker(file: Path, runtime: Runtime, airflow_connection: None) -> None:
    assert sensor(file, deferrable=False).execute({})["documents"] == 1  # type: ignore[typeddict-item]


def test_sensor_of_a_source_that_is_not_there_says_so(file: Path, airflow_connection: None) -> None:
    with pytest.raises(ConfigurationError, match=r"Expected sources of small \(documents\), found \['wiki'\]"):
        sensor(file, sources=["wiki"]).execute({})  # type: ignore[typeddict-item]


@pytest.fixture
def airflow_connection(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.parse import parse_qsl, urlsplit

    address = urlsplit(runtime.settings.database_url)
    extra = {**dict(parse_qsl(address.query)), "files_url": runtime.settings.files_url}
    connection = {"conn_type": "postgres", "login": "postgres", "schema": address.path.strip("/"), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps(connection))
