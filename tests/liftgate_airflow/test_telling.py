"""News reach people, metrics reach Airflow's own, and nothing of that can fail a run."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from mail_server import taking_mail
from small_configuration import write_small
from statsd_server import StatsD, listening
from webhooks import Receiver, receiving

from liftgate.config.notify import Notify
from liftgate.database import queries
from liftgate.errors import BrakeApplied, ConfigurationError, SourceError, SourceGaveNothing
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
    chat = "{when: [held, brake, resumed, quarantined], conn_id: chat}"
    more = f"notify: [{chat}, {{when: [stale], using: no.such.Notifier}}]\n"
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


def failed(task_id: str, error: Exception) -> Any:
    """What Airflow hands to a callback of a task of the run."""
    context = {"ti": SimpleNamespace(task_id=task_id), "dag_run": SimpleNamespace(dag_id="kb_small", run_id="1")}
    return {**context, "exception": error}


def set_aside(run: Run, runtime: Runtime, uri: str) -> None:
    """A document in quarantine, as a batch of the run leaves it behind."""
    with runtime.database.transaction() as connection:
        of = {"kb": run.kb, "run_id": run.run_id}
        serial = queries().start_listing(connection, **of)
        plan = queries().add_plan(connection, **of, kind="index", generation=1, serial=serial, fence=1, counts="{}")
        document = {"source": "documents", "uri": uri}
        queries().add_plan_items(connection, [{**document, "plan_id": plan["id"], "batch": 0, "action": "open"}])
        queries().note_outcome(connection, **document, plan_id=plan["id"], outcome='{"given": false}')
        why = {"kind": "read", "version_hint": "v", "parser": "p", "reason": "403"}
        queries().quarantine_document(connection, **of, **document, **why)


def test_brake_is_told_and_any_other_failure_is_not(run: Run, receiver: Receiver) -> None:
    telling.on_brake(failed("plan_changes", SourceError("no answer")))
    assert receiver.taken == []
    telling.on_brake(failed("plan_changes", BrakeApplied("Expected at most 1 documents to open, found 9.")))
    ((_, _, body),) = receiver.taken
    assert (body["occasion"], "found 9" in body["text"]) == ("brake", True)


def test_what_was_set_aside_is_told_once_where_a_source_gave_nothing(
    run: Run, runtime: Runtime, receiver: Receiver
) -> None:
    set_aside(run, runtime, "wiki/a.md")
    error = SourceGaveNothing("none of 3")
    for _ in range(2):
        telling.on_brake(failed("close_generation", error))
    telling.after_closing({}, run.run_id)  # type: ignore[typeddict-item]
    told = [(body["occasion"], body["text"].splitlines()[-1]) for _, _, body in receiver.taken]
    assert told == [("brake", "none of 3"), ("quarantined", "wiki/a.md: 403"), ("brake", "none of 3")]


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


def with_rule(run: Run, rule: Notify) -> Run:
    """The run with one way of telling."""
    config = run.config.model_copy(update={"notify": (rule,)})
    return replace(run, frozen=run.frozen.model_copy(update={"knowledge_base": config}))


MAIL = Notify(when=("stale", "quarantined", "held"), using="email", conn_id="mail", options={"to": "team@example.com"})
"""A rule as README.md has it."""


def test_email_goes_out_from_the_sender_of_its_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with taking_mail() as server:
        monkeypatch.setenv("AIRFLOW_CONN_MAIL", server.connection(from_email="liftgate@example.com"))
        asked = with_rule(run, MAIL)
        telling.require_notifiers(asked.config)
        telling.tell({}, asked, [replace(NEWS, text="<b>é</b>\nof hr/leave.md")])  # type: ignore[typeddict-item]
    ((sender, readers, message),) = server.taken
    assert (sender.split()[0], readers) == ("FROM:<liftgate@example.com>", ["TO:<team@example.com>"])
    assert message["Subject"] == NEWS.title
    body = message.get_body()
    assert body is not None
    assert "<pre>&lt;b&gt;é&lt;/b&gt;\nof hr/leave.md</pre>" in body.get_content()


def test_email_without_a_sender_is_told_before_there_is_one_to_send(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with taking_mail() as server:
        monkeypatch.setenv("AIRFLOW_CONN_MAIL", server.connection())
        asked = with_rule(run, MAIL)
        with pytest.raises(ConfigurationError, match="Expected `from_email` in the extras of .* connection mail"):
            telling.require_notifiers(asked.config)
        telling.tell({}, asked, [NEWS])  # type: ignore[typeddict-item]
    assert server.taken == []
    assert "Expected `from_email` in the extras" in capsys.readouterr().out
    own = MAIL.model_copy(update={"options": {**MAIL.options, "from_email": "liftgate@example.com"}})
    telling.require_notifiers(with_rule(run, own).config)


def slack(receiver: Receiver, using: str) -> tuple[Notify, dict[str, str]]:
    """A rule as README.md has it, and the connection to a webhook of Slack's."""
    address, when = f"http://127.0.0.1:{receiver.server_port}/services/T1/B2/x", ("held",)
    if using == "slack":
        return Notify(when=when, using="slack", conn_id="slack"), {"conn_type": "slackwebhook", "password": address}
    options = {"payload": {"text": "{{ news.title }}\n{{ news.text }}"}}
    return Notify(when=when, conn_id="slack", options=options), {"conn_type": "http", "host": address}


@pytest.mark.parametrize("using", ["slack", "webhook"])
def test_slack_gets_the_text_alone_as_its_incoming_webhooks_take_it(
    run: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, using: str
) -> None:
    rule, connection = slack(receiver, using)
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", json.dumps(connection))
    telling.tell({}, with_rule(run, rule), [NEWS])  # type: ignore[typeddict-item]
    ((path, _, body),) = receiver.taken
    assert (path, body) == ("/services/T1/B2/x", {"text": f"{NEWS.title}\n{NEWS.text}"})


def test_a_documents_name_orders_nothing_of_slack() -> None:
    made: Any = telling.notifier(Notify(when=("held",), using="slack"))
    made.render_template_fields({"news": replace(NEWS, text="<!channel> & more")})
    assert made.text == "Release 1 of small is held\n&lt;!channel> &amp; more"


def test_doctor_finds_a_notifier_that_is_not_installed_or_has_no_connection(
    run: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="Expected a notifier at no.such.Notifier"):
        telling.require_notifiers(run.config)
    monkeypatch.delenv("AIRFLOW_CONN_CHAT")
    with pytest.raises(ConfigurationError, match="Expected the Airflow connection chat, found none"):
        telling.require_notifiers(run.config)


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsD]:
    """A StatsD to which Airflow's own client sends."""
    with listening() as made:
        for name, value in made.settings.items():
            monkeypatch.setenv(name, value)
        yield made
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


def figures_sent(metrics: StatsD, tell: Callable[..., None], *given: Any) -> list[str]:
    """What arrives, once a task has told its figures as Airflow's task runner sets it up."""
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
    tell(*given)
    stats.incr("last")
    while not any("last" in line for line in metrics.lines):
        time.sleep(0.01)
    return metrics.ours()


def test_figures_of_each_knowledge_base_have_names_of_their_own_where_statsd_knows_no_tags(
    run: Run, metrics: StatsD
) -> None:
    sent = figures_sent(metrics, telling.after_nothing_to_do, {}, run.run_id)
    assert [line for line in sent if ".small" in line] == [
        "liftgate.documents_opened.small:0|c",
        "liftgate.chunks_embedded.small:0|c",
        "liftgate.documents_quarantined.small:0|g",
        "liftgate.seconds_behind.small:0.0|g",
    ]


def test_figures_have_tags_where_statsd_knows_them(run: Run, metrics: StatsD, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__LEGACY_NAMES_ON", "False")
    assert figures_sent(metrics, telling.after_nothing_to_do, {}, run.run_id) == [
        "liftgate.documents_opened,knowledge_base=small:0|c",
        "liftgate.chunks_embedded,knowledge_base=small:0|c",
        "liftgate.documents_quarantined,knowledge_base=small:0|g",
        "liftgate.seconds_behind,knowledge_base=small:0.0|g",
    ]


def test_figures_are_told_of_a_run_that_a_brake_stopped_too(run: Run, metrics: StatsD) -> None:
    sent = figures_sent(metrics, telling.on_brake, failed("plan_changes", BrakeApplied("too many")))
    assert "liftgate.seconds_behind.small:0.0|g" in sent
