"""Waits, in a DAG of your own, until the documents of a knowledge base have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from liftgate.config.knowledge_base import KnowledgeBase
    from liftgate_airflow.triggers.documents import DocumentsChangedTrigger


class DocumentsChangedSensor(BaseOperator):
    """Wait until the sources hold something else than the newest listing that was planned from, and have come to rest.

    Returns the number of documents and the digest of what they are. A source that does not answer is asked again,
    until the task's `execution_timeout` is over.

    Example:
        DocumentsChangedSensor(task_id="wait", knowledge_base="dags/knowledge_bases/hr.yaml", sources=["wiki"])
    """

    template_fields: Sequence[str] = ("knowledge_base", "sources")

    def __init__(
        self,
        *,
        knowledge_base: str,
        sources: Collection[str] = (),
        poll_seconds: float = 60,
        settle_seconds: float = 30,
        deferrable: bool = True,
        **options: Any,
    ):
        """knowledge_base: the path of its file. sources: names of the sources to look at; none: all of them."""
        super().__init__(**options)
        self.knowledge_base = knowledge_base
        self.sources = list(sources)
        self.poll_seconds = poll_seconds
        self.settle_seconds = settle_seconds
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait in the triggerer, or here."""
        trigger = self._trigger()
        if self.deferrable:
            self.defer(trigger=trigger, method_name="execute_complete", timeout=self.execution_timeout)
        return self.execute_complete(context, asyncio.run(_first(trigger)))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """What the sources hold now."""
        print(f"The sources of {self.knowledge_base} hold {event['documents']} documents, not as any run planned.")
        return event

    def _trigger(self) -> DocumentsChangedTrigger:
        from liftgate.config.reading import read_knowledge_base
        from liftgate.sources.changes import seen_by_runs
        from liftgate_airflow.connection import runtime_from_connection
        from liftgate_airflow.triggers.documents import DocumentsChangedTrigger

        config = read_knowledge_base(self.knowledge_base)
        names = _of(config, self.sources) if self.sources else config.watched_sources
        with runtime_from_connection().database.transaction() as connection:
            seen = seen_by_runs(connection, config.name, names)
        return DocumentsChangedTrigger(
            config.model_dump_json(), names, self.poll_seconds, self.settle_seconds, seen.digest if seen else None
        )


def _of(config: KnowledgeBase, names: list[str]) -> list[str]:
    from liftgate.errors import ConfigurationError

    known = [block.name for block in config.ingestion.sources]
    if unknown := sorted(set(names) - set(known)):
        raise ConfigurationError(
            f"Expected sources of {config.name} ({', '.join(known)}), found {unknown}. Correct them."
        )
    return names


async def _first(trigger: DocumentsChangedTrigger) -> Any:
    return (await anext(trigger.run())).payload
