"""Figures of runs and releases, read from Liftgate's database by Liftgate's own functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiosql

from liftgate.database import Connection, Database, queries
from liftgate.gate.verdict import Check, Verdict
from liftgate.generations import collection, generation
from liftgate.index import VectorIndex
from liftgate.releases import ledger
from liftgate.releases.ledger import Release
from liftgate.releases.standing import behind_since
from liftgate.runtime import Runtime
from liftgate.sources.identity import Document


@cache
def _figures() -> Any:
    return aiosql.from_path(Path(__file__).with_name("figures.sql"), "psycopg")


@dataclass(frozen=True)
class Cost:
    """What a run of a knowledge base did. `kind` is index, verify, nothing, or None where it planned nothing."""

    kind: str | None = None
    generation: int | None = None
    opened: int = 0
    embedded: int = 0


@dataclass(frozen=True)
class Ledger:
    """What the story asks of the database."""

    runtime: Runtime
    kb: str

    @property
    def database(self) -> Database:
        """Liftgate's database."""
        return self.runtime.database

    def releases(self) -> list[Release]:
        """Every release, oldest first."""
        with self.database.transaction() as connection:
            return ledger.releases(connection, self.kb)

    def live(self) -> int | None:
        """The number of the release that is live."""
        with self.database.transaction() as connection:
            current = ledger.live(connection, self.kb)
        return current.n if current else None

    def release(self, n: int) -> Release | None:
        """One release, if there is one of that number."""
        return next((release for release in self.releases() if release.n == n), None)

    def outcome(self, n: int) -> str | None:
        """What became of a release."""
        found = self.release(n)
        return found.outcome if found else None

    def verdict(self, n: int) -> Verdict | None:
        """The newest verdict on a release."""
        found = self.release(n)
        if found is None:
            return None
        with self.database.transaction() as connection:
            rows = queries().verdicts_of(connection, kb=self.kb, candidate_fingerprint=found.fingerprint)
            newest = next(iter(rows), None)
        return Verdict.from_json(newest["verdict"]) if newest else None

    def check(self, n: int, metric: str) -> Check | None:
        """The first check of a release's verdict on a metric over all questions, against what is live if it was."""
        verdict = self.verdict(n)
        found = [check for check in (verdict.checks if verdict else ()) if check.metric == metric and not check.slice]
        return next((check for check in found if check.against), found[0] if found else None)

    def cost(self, run_key: str) -> Cost:
        """What a run opened and embedded."""
        with self.database.transaction() as connection:
            plan = queries().newest_plan(connection, kb=self.kb, run_id=run_key)
            if plan is None:
                return Cost()
            return Cost(plan["kind"], plan["generation"], *_work(connection, plan["id"]))

    def stopped_by(self, run_key: str) -> str:
        """The brake that stopped a run; empty if none did."""
        with self.database.transaction() as connection:
            return _figures().stopped_by(connection, run_id=run_key) or ""

    def is_behind(self) -> bool:
        """Whether live holds something else than the sources."""
        with self.database.transaction() as connection:
            return behind_since(connection, self.kb) is not None

    def new_rows(self, number: int, uri: str) -> int:
        """Chunks of a document that came with a generation."""
        with self.database.transaction() as connection:
            index = self._index_of(connection, number)
            return len(index.added([Document(self.kb, uri)], number))

    def readers_in(self, n: int, uri: str) -> list[list[str]]:
        """Every set of groups that stands on a document's rows, as release n sees them."""
        found = self.release(n)
        if found is None:
            return []
        number = found.makeup.retrieval.generation
        with self.database.transaction() as connection:
            rows = self._index_of(connection, number).rows(number, Document(self.kb, uri))
            return sorted({row.groups: list(row.groups) for row in rows}.values())

    def _index_of(self, connection: Connection, number: int) -> VectorIndex:
        where = collection(connection, generation(connection, self.kb, number).collection_id)
        return self.runtime.index_in(connection, where)


def _work(connection: Connection, plan_id: int) -> tuple[int, int]:
    opened, embedded = queries().opened_documents, queries().embedded_for
    return opened(connection, plan_id=plan_id), embedded(connection, plan_id=plan_id)
