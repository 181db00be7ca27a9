"""What Airflow's side tells of runs: metrics to its StatsD or OpenTelemetry, and news to people.

Nothing in here may fail a run: whatever goes wrong is printed into the task's log.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

    from liftgate.config.knowledge_base import KnowledgeBase
    from liftgate.config.notify import Notify
    from liftgate.news import News
    from liftgate.runs import Run
    from liftgate.runtime import Runtime

NAMED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "webhook": ("liftgate_airflow.notifiers.webhook.WebhookNotifier", "conn_id", {}),
    "email": (
        "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        "smtp_conn_id",
        {"subject": "{{ news.title }}", "html_content": "<pre>{{ news.text | e }}</pre>"},
    ),
    "slack": (
        "airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier",
        "slack_webhook_conn_id",
        {"text": "{{ (news.title ~ '\n' ~ news.text) | replace('&', '&amp;') | replace('<', '&lt;') }}"},
    ),
}
"""Class, its parameter for the connection, and what it says, for each way of telling that has a name.

Slack takes `<!channel>` and `<http://...>` in a text for orders, and a document may have any name.
"""

Tells = Callable[..., None]


def _never_fails(tell: Tells) -> Tells:
    @wraps(tell)
    def quietly(*given: Any) -> None:
        try:
            tell(*given)
        except Exception:
            print(f"Nobody was told, since {tell.__name__} failed:\n{traceback.format_exc()}")

    return quietly


@_never_fails
def after_outcome(context: Context, key: str, _candidate: int) -> None:
    """What became of a candidate, what people did since the last run, and what the run cost."""
    _measure_and_tell(context, *_run(key))


@_never_fails
def after_closing(context: Context, key: str) -> None:
    """Documents that could not be read."""
    from liftgate.news import news_of_quarantine

    runtime, run = _run(key)
    tell(context, run, news_of_quarantine(runtime, run))


@_never_fails
def after_nothing_to_do(context: Context, key: str) -> None:
    """The same without a candidate: such a run ends here."""
    _measure_and_tell(context, *_run(key))


@_never_fails
def after_housekeeping(context: Context, key: str) -> None:
    """The same once a day, whether anything ran or not, and to people where it is too long."""
    from liftgate.news import news_of_staleness

    runtime, run = _run(key)
    _measure_and_tell(context, runtime, run)
    tell(context, run, news_of_staleness(runtime, run))


@_never_fails
def after_a_person(context: Context, key: str, kb: str) -> None:
    """What a person did, to whomever the configuration of the newest run names."""
    from liftgate.runs import as_before
    from liftgate_airflow.connection import runtime_from_connection

    runtime = runtime_from_connection()
    _tell_ledger(context, runtime, as_before(runtime, kb, key))


@_never_fails
def on_brake(context: Context) -> None:
    """That a brake stopped the run, and how long live has been behind; any other failure is for Airflow to tell.

    Where a source gave nothing, documents of all sources were set aside, and no closing tells of them.
    """
    from liftgate.errors import BrakeApplied, SourceGaveNothing
    from liftgate.news import news_of_brake, news_of_quarantine
    from liftgate_airflow.step import run_key

    error = context.get("exception")
    if isinstance(error, BrakeApplied):
        runtime, run = _run(run_key(context))
        tell(context, run, news_of_brake(run, str(error)))
        if isinstance(error, SourceGaveNothing):
            tell(context, run, news_of_quarantine(runtime, run))
        _measure(runtime, run)


def tell(context: Context, run: Run, news: Iterable[News]) -> None:
    """Tell everybody who asked for news of that occasion."""
    for one in news:
        for rule in run.config.notify:
            if one.occasion in rule.when:
                print(f"Telling by {rule.using}: {one.title}")
                _send(rule, {**context, "news": one})


def require_notifiers(config: KnowledgeBase) -> None:
    """Raise ConfigurationError unless every notifier that the configuration names is there, with what it needs."""
    from liftgate_airflow.connection import source_connection

    for rule in config.notify:
        made = notifier(rule)
        if rule.conn_id:
            source_connection(rule.conn_id)
        _require_sender(rule, made)


def notifier(rule: Notify) -> BaseNotifier:
    """The notifier that a rule names. Raises ConfigurationError where there is none."""
    from importlib import import_module

    from liftgate.errors import ConfigurationError

    path, connection, options = NAMED.get(rule.using, (rule.using, "conn_id", {}))
    given = {**options, **rule.options, **({connection: rule.conn_id} if rule.conn_id else {})}
    try:
        module, _, name = path.rpartition(".")
        made: BaseNotifier = getattr(import_module(module), name)(**given)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"Expected a notifier at {path} that takes {sorted(given)}, found: {error}. Correct `notify`, or install "
            "the provider that brings it, such as apache-airflow-providers-slack."
        ) from error
    return made


def _require_sender(rule: Notify, made: Any) -> None:
    """Raise ConfigurationError where an e-mail would be from nobody: that is refused only when there is one to send."""
    from liftgate.errors import ConfigurationError
    from liftgate_airflow.connection import source_connection

    if rule.using != "email" or made.from_email:
        return
    if not source_connection(made.smtp_conn_id).extra.get("from_email"):
        raise ConfigurationError(
            f"Expected `from_email` in the extras of the Airflow connection {made.smtp_conn_id}, or in `options` of "
            "`notify`, found neither. Without a sender no e-mail goes out: add it."
        )


@_never_fails
def _send(rule: Notify, context: Any) -> None:
    """Tell. What others write into their errors is not repeated: often that is the address, which is a secret."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from liftgate.errors import LiftgateError, NewsRefused

    made = notifier(rule)
    try:
        _require_sender(rule, made)
        made.render_template_fields(context)
        made.notify(context)  # calling `made` itself would do the same, and log the message of an error
    except (LiftgateError, AirflowNotFoundException):
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise NewsRefused(
            f"Expected {rule.using} to tell by connection {rule.conn_id}, found {type(error).__name__} in "
            f"{place.filename}, line {place.lineno}. Check the connection and `options`."
        ) from None


def _measure_and_tell(context: Context, runtime: Runtime, run: Run) -> None:
    _tell_ledger(context, runtime, run)
    _measure(runtime, run)


def _tell_ledger(context: Context, runtime: Runtime, run: Run) -> None:
    from liftgate.news import news_of_ledger

    tell(context, run, news_of_ledger(runtime, run.kb))


def _run(key: str) -> tuple[Runtime, Run]:
    from liftgate.runs import load_run
    from liftgate_airflow.connection import runtime_from_connection

    runtime = runtime_from_connection()
    return runtime, load_run(runtime.database, key)


def _measure(runtime: Runtime, run: Run) -> None:
    """Counters and gauges named `liftgate.<name>`, tagged with the knowledge base.

    StatsD without tags would show those of the knowledge base that ran last. So, like Airflow's own, each also has a
    name that holds what the tag does, `liftgate.<name>.<knowledge base>`, unless `legacy_names_on` is switched off.
    """
    from airflow.sdk.configuration import conf
    from airflow.sdk.observability import stats

    from liftgate.news import figures

    found, tags = figures(runtime, run), {"knowledge_base": run.kb}
    with_names = conf.getboolean("metrics", "legacy_names_on")
    for ending in ["", f".{run.kb}"] if with_names else [""]:
        stats.incr(f"liftgate.documents_opened{ending}", found.documents_opened, tags=tags)
        stats.incr(f"liftgate.chunks_embedded{ending}", found.chunks_embedded, tags=tags)
        stats.gauge(f"liftgate.documents_quarantined{ending}", found.documents_quarantined, tags=tags)
        stats.gauge(f"liftgate.seconds_behind{ending}", found.seconds_behind, tags=tags)
