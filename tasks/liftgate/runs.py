"""A run: what it works with, frozen by its first task, and which documents it works on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from liftgate.config.adapter import Adapter
from liftgate.config.block import Block
from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.config.reading import read_adapter, read_knowledge_base
from liftgate.database import Connection, Database, queries
from liftgate.embedding import problems
from liftgate.errors import ConfigurationError

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


class Scope(Block):
    """Which documents a run works on.

    `whole` compares the complete listing with the manifest. `some` looks at named documents only, so that absence
    means nothing: a backfill's interval, a pattern, or the uris of an event.
    """

    kind: Literal["whole", "some"] = "whole"
    updated_from: datetime | None = None
    updated_until: datetime | None = None
    include: tuple[str, ...] = ()
    named: frozenset[tuple[str, str]] = frozenset()
    """Source and uri of documents of which events say that they changed or are gone. No source: the only one."""
    forced: bool = False
    """Parse again what is unchanged, and go on where there would be nothing to do."""
    dry_run: bool = False
    """Only say what would be done."""


class Allowances(Block):
    """Brakes that this run may pass, up to these numbers of documents. None: the configured brake holds."""

    removals: int | None = None
    widenings: int | None = None
    opened: int | None = None


class Frozen(Block):
    """The configuration of a run as it stands in the ledger."""

    knowledge_base: KnowledgeBase
    adapter: Adapter | None = None


@dataclass(frozen=True)
class Run:
    """One run of a DAG (or of the command line) over one knowledge base.

    `run_id` names the DAG too, as in `kb_handbook:scheduled__2026-01-01T02:00:00+00:00`.
    """

    kb: str
    run_id: str
    frozen: Frozen
    scope: Scope
    allowances: Allowances

    @property
    def config(self) -> KnowledgeBase:
        """The knowledge base's configuration."""
        return self.frozen.knowledge_base

    @property
    def adapter(self) -> Adapter:
        """The adapter's configuration, in a run that is about one."""
        if self.frozen.adapter is None:
            raise ConfigurationError(f"Expected {self.run_id} to be about an adapter, found a knowledge base only.")
        return self.frozen.adapter


def freeze_configuration(runtime: Runtime, path: Path | str, run_id: str, scope: Scope, allowances: Allowances) -> Run:
    """Validate the configuration and store it, so that the whole run sees one and the same.

    `path` is a knowledge base's file, or an adapter's, which names its knowledge base.
    """
    frozen = _read(Path(path))
    run = Run(frozen.knowledge_base.name, run_id, frozen, _of_sources(scope, frozen.knowledge_base), allowances)
    with runtime.database.transaction() as connection:
        _store(connection, run)
    return run


def freeze_as_before(runtime: Runtime, kb: str, run_id: str) -> Run:
    """The same with the configuration of the newest run, for what must work while the file is being edited."""
    run = as_before(runtime, kb, run_id)
    with runtime.database.transaction() as connection:
        _store(connection, run)
    return run


def as_before(runtime: Runtime, kb: str, run_id: str) -> Run:
    """A run with the configuration of the newest one, stored nowhere."""
    with runtime.database.transaction() as connection:
        stored = queries().last_configuration(connection, kb=kb)
    if stored is None:
        raise ConfigurationError(f"Expected an earlier run of {kb} in the ledger, found none. Run kb_{kb}.")
    return Run(kb, run_id, Frozen.model_validate(stored), Scope(), Allowances())


def load_run(database: Database, run_id: str) -> Run:
    """The run as its first task stored it."""
    with database.transaction() as connection:
        row = queries().run(connection, run_id=run_id)
    if row is None:
        raise ConfigurationError(
            f"Expected the configuration of {run_id} in the ledger, found none. "
            "Clear freeze_configuration and what is downstream of it."
        )
    frozen = Frozen.model_validate(row["configuration"])
    scope, allowances = Scope.model_validate(row["scope"]), Allowances.model_validate(row["allowances"])
    return Run(row["kb"], run_id, frozen, scope, allowances)


def _of_sources(scope: Scope, config: KnowledgeBase) -> Scope:
    """The documents that events name count only for sources that say so; for any other one, the run looks at all."""
    only = config.ingestion.sources[0].name if len(config.ingestion.sources) == 1 else ""
    named = frozenset((source or only, uri) for source, uri in scope.named)
    trusted = {block.name for block in config.ingestion.sources if not block.list_on_event}
    if all(source in trusted for source, _ in named):
        return scope.model_copy(update={"named": named})
    return scope.model_copy(update={"kind": "whole", "named": frozenset()})


def _store(connection: Connection, run: Run) -> None:
    queries().store_run(
        connection,
        run_id=run.run_id,
        kb=run.kb,
        configuration=run.frozen.model_dump_json(),
        scope=run.scope.model_dump_json(),
        allowances=run.allowances.model_dump_json(),
    )


def _read(path: Path) -> Frozen:
    """The configuration of a file. What only a model's files can tell (does a chunk fit it?) is checked here too."""
    adapter = read_adapter(path) if path.parent.name == "adapters" else None
    knowledge_base = read_knowledge_base(adapter.knowledge_base if adapter else path)
    ingestion = knowledge_base.ingestion
    if found := problems(ingestion.embeddings, ingestion.chunking):
        raise ConfigurationError("\n".join([f"{len(found)} mistake(s) in {path.name}:", *found]))
    return Frozen(knowledge_base=knowledge_base, adapter=adapter)
