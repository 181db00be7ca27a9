"""What all DAGs of Liftgate have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
)

from liftgate_airflow.step import RETRIES

if TYPE_CHECKING:
    from liftgate.config.knowledge_base import KnowledgeBase

KINDS = ("kb", "prompt", "adapter", "approve", "canary", "roll_back", "resume", "housekeeping", "")
"""What the ids of our DAGs begin with; it is a tag of each."""
UNSCHEDULED = ("approve", "canary", "roll_back", "resume")
"""Kinds that only people and other DAGs start. Nobody sees that a run of them waits because its DAG is paused."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Backfills reach no further back than this."""


def liftgate_dag(
    dag_id: str,
    *,
    page: str | None,
    of: KnowledgeBase | None = None,
    kb: str | None = None,
    max_active_runs: int = 1,
    **options: Any,
) -> DAG:
    """A DAG that runs once at a time (unless said otherwise), never catches up, and retries what a retry can help.

    New ones are paused as Airflow is set up to, but for those kinds that have no schedule of their own.

    of: the knowledge base that it is about, whose owner and pool it has; kb: the name of one, where only that is known.
    """
    owner, pool = (of.owner, of.pool) if of else ("liftgate", "default_pool")
    kind, about = next(kind for kind in KINDS if dag_id.startswith(kind)), of.name if of else kb
    return DAG(
        dag_id=dag_id,
        doc_md=cleandoc(page or ""),
        start_date=LONG_AGO,
        catchup=False,
        max_active_runs=max_active_runs,
        default_args={"owner": owner, "pool": pool, **RETRIES},
        is_paused_upon_creation=False if is_unscheduled(dag_id) else None,
        tags=["liftgate", kind, *([about] if about else [])],
        owner_links={of.owner: of.owner_link} if of and of.owner_link else {},
        **options,
    )


def is_unscheduled(dag_id: str) -> bool:
    """Whether only people and other DAGs start it."""
    return dag_id.startswith(UNSCHEDULED)


def on_time_or_event(cron: str, *assets: Asset) -> AssetOrTimeSchedule:
    """Runs by the clock (UTC), on events of any of the assets, and as a backfill with true intervals."""
    return AssetOrTimeSchedule(timetable=CronDataIntervalTimetable(cron, "UTC"), assets=AssetAny(*assets))


def sources_assets(config: KnowledgeBase) -> list[Asset]:
    """What starts a run besides the clock: events of others, and those of the watcher where there is one.

    The watcher has an asset of its own: wherever a DAG file of yours names an asset without it, Airflow ends the watch.
    """
    assets, watch = [asset(config.name, "sources")], config.watch
    if watch and config.watched_sources:
        from liftgate_airflow.triggers.documents import DocumentsChangedTrigger

        trigger = DocumentsChangedTrigger(
            config.model_dump_json(), config.watched_sources, watch.poll_seconds, watch.settle_seconds
        )
        assets.append(Asset(_uri(config.name, "watched"), watchers=[AssetWatcher(name=config.name, trigger=trigger)]))
    return assets


def on_time(cron: str) -> CronTriggerTimetable:
    """Runs by the clock (UTC)."""
    return CronTriggerTimetable(cron, timezone="UTC")


def asset(kb: str, what: str) -> Asset:
    """`sources` starts a run; `index`, `adapter` and `release` say that it changed what is live."""
    return Asset(_uri(kb, what))


def _uri(kb: str, what: str) -> str:
    return f"liftgate://{kb}/{what}"
