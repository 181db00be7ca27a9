"""News reach people, metrics reach Airflow's own, and nothing of that can fail a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats
from small_configuration import write_small
from webhooks import Receiver, receiving

from liftgate.config.notify import Notify
from liftgate.errors import BrakeApplied, ConfigurationError, SourceError
from liftgate.news import News
from liftgate.releases.ledger import lock_ledger, record
from liftgate.runs import Allowances, Run, Scope, freeze_configuration
from liftgate.runtime import Runtime
from liftgate_airflow import telling

NEWS = News("held", "small", "kb_small:1", "Release 1 of small is held", "too {{ few }} questions")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as made:
        monkeypatch.setenv("AIRFLOW_CONN_CHAT", made.connection)
        yield made


@pytest.fixture
def run(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("liftgate_airflow.connection.runtime_from_connection", lambda: runtime)
    more = "notify: [{when: [held, brake, resumed], conn_id: chat}, {when: [stale], using: no.such.Notifier}]\n"
    return freeze_configuration(runtime, write_small(tmp_path, more), "kb_small:1", Scope(), Allowances())


def test_webhook_gets_the_news_as_json_with_the_headers_and_login_of_its_connection(
    run: Run, receiver: Receiver
) -> None:
    telling.tell({}, run, [NEWS])  # type: ignore[typeddict-item]
    ((path, headers, body),) = receiver.taken
    assert (path, headers["X-Team"]) == ("/hooks/T1", "docs")
    assert headers["Authorization"].startswith("Basic ")
    assert body == {
        "text": "Release 1 of small is held\ntoo {{ few }} questions",
        "occasion": "held",
        "knowledge_base": "small",
        "run": "kb_small:1",
    }


def test_only_those_are_told_who_asked_for_the_occasion(run: Run, receiver: Receiver) -> None:
    telling.tell({}, run, [replace(NEWS, occasion="rejected")])  # type: ignore[typeddict-item]
    assert receiver.taken == []


def test_what_a_person_did_at_the_command_line_is_told_by_the_next_run_once(
    run: Run, runtime: Runtime, receiver: Receiver
) -> None:
    with runtime.database.transaction() as connection:
        lock_ledger(connection, "small")
        record(connection, "small", "hold_lifted", by="ada", run_id="cli:ada:1", why="the quarter has ended")
    telling.after_nothing_to_do({}, run.run_id)  # type: ignore[typeddict-item]
    telling.after_housekeeping({}, run.run_id)  # type: ignore[typeddict-item]
    telling.after_a_person({}, "resume_small:1", "small")  # type: ignore[typeddict-item]
    ((_, _, body),) = receiver.taken
    assert (body["run"], body["text"]) == ("cli:ada:1", "Promotions of small go on\nBy ada: the quarter has ended.")


def test_brake_is_told_and_any_other_failure_is_not(run: Run, receiver: Receiver) -> None:
    class Instance:
        task_id = "plan_changes"

    class DagRun:
        dag_id, run_id = "kb_small", "1"

    context: Any = {"ti": Instance(), "dag_run": DagRun()}
    telling.on_brake({**context, "exception": SourceError("no answer")})
    assert receiver.taken == []
    telling.on_brake({**context, "exception": BrakeApplied("Expected at most 1 documents to open, found 9.")})
    ((_, _, body),) = receiver.taken
    assert (body["occasion"], "found 9" in body["text"]) == ("brake", True)


def test_notifier_that_fails_or_is_not_there_fails_nobody(
    run: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.status = 500
    telling.tell({}, run, [NEWS])  # type: ignore[typeddict-item]
    monkeypatch.delenv("AIRFLOW_CONN_CHAT")
    telling.tell({}, run, [NEWS, replace(NEWS, occasion="stale")])  # type: ignore[typeddict-item]
    telling.after_closing({}, "kb_small:no such run")  # type: ignore[typeddict-item]
    told = capsys.readouterr().out
    assert len(receiver.taken) == 1
    assert "Expected a notifier at no.such.Notifier" in told
    assert "Nobody was told, since after_closing failed" in told


def test_the_address_of_a_webhook_stays_out_of_the_log(
    run: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    for change in ({"status": 404}, {"connection": "refused"}, {"schema": "gopher"}):
        receiver.status = change.get("status", 200)
        if "connection" in change:
            monkeypatch.setenv("AIRFLOW_CONN_CHAT", receiver.connection.replace(f"{receiver.server_port}", "1"))
        if "schema" in change:
            monkeypatch.setenv("AIRFLOW_CONN_CHAT", receiver.connection.replace('"http", "port"', '"gopher", "port"'))
        telling.tell({}, run, [NEWS])  # type: ignore[typeddict-item]
        told = capsys.readouterr().out
        assert "hooks/T1" not in told
        answers += re.findall("Expected the server of connection chat to take the news, found (.+?)\\. Check", told)
    assert answers == ["status 404", "ConnectError", "UnsupportedProtocol"]


def test_message_of_somebody_elses_notifier_stays_out_of_the_log(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from liftgate_airflow.notifiers.webhook import WebhookNotifier

    def fail(*_: object) -> None:
        raise OSError("no route to https://hooks.example.com/secret")

    monkeypatch.setattr(WebhookNotifier, "notify", fail)
    telling.tell({}, run, [NEWS])  # type: ignore[typeddict-item]
    told = capsys.readouterr().out
    assert "Expected webhook to tell by connection chat, found OSError in" in told
    assert "hooks.example.com" not in told.replace(fail.__code__.co_filename, "")


def test_notifiers_of_airflow_are_named_with_their_connection_and_options() -> None:
    rule = Notify(when=("stale",), using="email", conn_id="mail", options={"to": "team@example.com"})
    made: Any = telling.notifier(rule)
    assert (made.smtp_conn_id, made.to, made.subject) == ("mail", "team@example.com", "{{ news.title }}")
    path = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
    assert type(telling.notifier(Notify(when=("stale",), using=path, options={"to": "a"}))) is type(made)
    with pytest.raises(ConfigurationError, match="Expected a notifier at .*SmtpNotifier that takes"):
        telling.notifier(Notify(when=("stale",), using="email"))


def test_doctor_finds_a_notifier_that_is_not_installed_or_has_no_connection(
    run: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="Expected a notifier at no.such.Notifier"):
        telling.require_notifiers(run.config)
    monkeypatch.delenv("AIRFLOW_CONN_CHAT")
    with pytest.raises(ConfigurationError, match="Expected the Airflow connection chat, found none"):
        telling.require_notifiers(run.config)


def test_metrics_go_to_airflows_own(run: Run, request: pytest.FixtureRequest) -> None:
    class Backend:
        told: list[Any] = []

        def incr(self, name: str, count: int, tags: Any) -> None:
            self.told.append((name, count, tags))

        def gauge(self, name: str, value: float, tags: Any) -> None:
            self.told.append((name, value, tags))

    stats.initialize(factory=Backend, export_legacy_names=False)  # type: ignore[arg-type]
    request.addfinalizer(lambda: stats.initialize(factory=NoStatsLogger, export_legacy_names=False))
    telling.after_nothing_to_do({}, run.run_id)  # type: ignore[typeddict-item]
    tags = {"knowledge_base": "small"}
    names = ("documents_opened", "chunks_embedded", "documents_quarantined", "seconds_behind")
    assert Backend.told == [(f"liftgate.{name}", 0, tags) for name in names]
