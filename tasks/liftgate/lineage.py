"""What a step read and wrote, by the names that OpenLineage gives to data sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from liftgate.config.sources import DataSet
from liftgate.database import queries
from liftgate.generations import Collection, collection, generation
from liftgate.plan.planned import newest_plan
from liftgate.releases.ledger import live, release
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

__all__ = ["DataSet", "Lineage", "of_adapter", "of_generation", "of_tuning_set"]


@dataclass(frozen=True)
class Lineage:
    """Data sets in and out."""

    inputs: tuple[DataSet, ...]
    outputs: tuple[DataSet, ...]


def of_generation(runtime: Runtime, run: Run, counts: Any) -> Lineage:
    """A closed generation: from the sources to a collection of the index."""
    with runtime.database.transaction() as connection:
        plan = newest_plan(connection, run.kb, run.run_id)
        where = collection(connection, generation(connection, run.kb, plan.generation).collection_id)
    return Lineage(tuple(source.data_set() for source in run.config.ingestion.sources), (_index(runtime, where),))


def of_tuning_set(runtime: Runtime, run: Run, digest: str) -> Lineage:
    """A tuning set: from the examples, and the index that they were answered from."""
    with runtime.database.transaction() as connection:
        current = live(connection, run.kb)
        uri = queries().tuning_set_uri(connection, digest=digest)
        found = [collection(connection, current.makeup.retrieval.collection_id)] if current else []
    index = (_index(runtime, one) for one in found)
    return Lineage((_at(run.adapter.examples), *index), _all([uri]))


def of_adapter(runtime: Runtime, run: Run, candidate: int) -> Lineage:
    """A registered adapter: from its tuning set."""
    with runtime.database.transaction() as connection:
        part = release(connection, run.kb, candidate).makeup.adapter
        row = queries().adapter(connection, digest=part.digest) if part else None
        uri = queries().tuning_set_uri(connection, digest=row["tuning_set"]) if row else None
    return Lineage(_all([uri]), _all([part.uri if part else None]))


def _all(uris: Iterable[str | None]) -> tuple[DataSet, ...]:
    return tuple(_at(uri) for uri in uris if uri)


def _at(uri: str) -> DataSet:
    """Example: s3://llm/adapters/a -> ("s3://llm", "adapters/a"); /files/a -> ("file", "/files/a")"""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return DataSet("file", parts.path)
    return DataSet(f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/"))


def _index(runtime: Runtime, where: Collection) -> DataSet:
    """The table of a collection, or its name in Weaviate."""
    if where.provider == "weaviate":
        return DataSet(runtime.settings.weaviate_url or "weaviate", where.name)
    address = conninfo_to_dict(runtime.settings.database_url)
    host, port = address.get("host") or "localhost", address.get("port") or 5432
    return DataSet(f"postgres://{host}:{port}", f"{address.get('dbname')}.public.{where.name}")
