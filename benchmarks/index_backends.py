"""Both indexes over the same chunks: importing, searching, promoting, rolling back, pruning, and bytes on disk.

    python benchmarks/index_backends.py            60,000 chunks of 384 dimensions
    python benchmarks/index_backends.py 5000       as many as you like

Vectors lie around 200 centres, as those of documents do; a seventh of the chunks is replaced by the seventh generation;
each chunk is for one or two of five groups. Medians of 300 searches for 8 chunks, after the import has settled. A
Weaviate server is found as the tests find it; without one, pgvector is measured alone.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from liftgate.config.embeddings import Embeddings
from liftgate.config.retrieval import Retrieval
from liftgate.config.retrieval import VectorIndex as VectorIndexBlock
from liftgate.database import queries
from liftgate.generations import Collection, new_collection
from liftgate.index.rows import Chunk, Vector, vector_text
from liftgate.local import weaviate
from liftgate.local.postgres import started
from liftgate.manifest import Entry
from liftgate.releases.index_of_release import require_whole
from liftgate.releases.ledger import record
from liftgate.releases.makeup import BasePart, Makeup, PromptPart, RetrievalPart
from liftgate.releases.promotion import promote
from liftgate.releases.rollback import roll_back
from liftgate.runtime import Runtime
from liftgate.settings import Settings

CHUNKS, SMALL, DIMS, SEARCHES, K = 60_000, 1_000, 384, 300, 8
GENERATIONS, PER_DOCUMENT = 7, 10
GROUPS = ("staff", "finance", "hr", "security", "leadership")
WORDS = ["leave", "travel", "hotel", "pension", "laptop", "badge", "audit", "invoice", "rota", "visa", "gym", "parking"]
SETTLE_SECONDS = 20


def main() -> None:
    """Measure each index and print one table, a column for each."""
    chunks = int(sys.argv[1]) if len(sys.argv) > 1 else CHUNKS
    with tempfile.TemporaryDirectory(prefix="liftgate-benchmark-") as folder, ExitStack() as stack:
        work = Path(folder)
        server = stack.enter_context(started(work / "postgres"))
        settings = {
            "database_url": server.create_database("liftgate", owner="liftgate"),
            "files_url": str(work / "files"),
        }
        providers = ["pgvector"]
        if weaviate.is_available():
            settings |= stack.enter_context(weaviate.server(work / "weaviate"))
            providers.append("weaviate")
        runtime = Runtime(Settings.model_validate(settings))
        runtime.database.upgrade()
        measured = {provider: dict(measure(runtime, provider, chunks, work)) for provider in providers}
        version = runtime.servers.weaviate.get_meta()["version"] if "weaviate" in measured else "none"
    show(measured, chunks, version)


def show(measured: dict[str, dict[str, str]], chunks: int, version: str) -> None:
    """One row for each figure."""
    table = Table("", *measured, title=f"{chunks:,} chunks of {DIMS} dimensions, Weaviate {version}")
    for name in dict.fromkeys(name for column in measured.values() for name in column):
        table.add_row(name, *(column.get(name, "-") for column in measured.values()))
    Console().print(table)


def measure(runtime: Runtime, provider: str, chunks: int, work: Path) -> Iterator[tuple[str, str]]:
    """The figures of one index, by name."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((200, DIMS)).astype(np.float32)
    small, large = (make_collection(runtime, provider, f"{provider}_{size}") for size in ("small", "large"))
    fill(runtime, small, make_rows(random, centres, SMALL, small), "")
    write_manifest(runtime, small, SMALL, 0)
    rows = make_rows(random, centres, chunks, large)
    seconds = fill(runtime, large, rows, provider)
    yield "import, chunks a second", f"{len(rows) / seconds:,.0f}"
    gone = chunks // PER_DOCUMENT // GENERATIONS
    ended = [row.id for row in rows[: gone * PER_DOCUMENT]]
    seconds = in_index(runtime, large, lambda index: index.mark_removed(ended, GENERATIONS))
    write_manifest(runtime, large, chunks, gone)
    yield "marked as removed, chunks a second", f"{len(ended) / seconds:,.0f}"
    time.sleep(SETTLE_SECONDS)
    questions = around(random, centres, SEARCHES)
    bare = 0.0
    for name, search in searches(runtime, large).items():
        milliseconds = median_milliseconds(search, questions)
        bare = bare or milliseconds
        yield f"search, {name}, ms", f"{milliseconds:.2f} ({milliseconds / bare:.2f} times bare)"
    for size, where in ((SMALL, small), (chunks, large)):
        yield from pointer(runtime, where, size)
    yield "bytes for a million chunks", f"{bytes_of(runtime, large, work) / len(rows) * 1e6 / 1e9:.2f} GB"
    seconds = in_index(runtime, large, lambda index: index.prune([GENERATIONS]))
    yield "pruned, chunks a second", f"{len(ended) / seconds:,.0f}"


def make_rows(random: np.random.Generator, centres: Vector, chunks: int, where: Collection) -> list[Chunk]:
    """Chunks of documents of ten, with the ids of their manifest; the last seventh came with the last generation."""
    vectors, texts = around(random, centres, chunks), random.choice(WORDS, (chunks, 40))
    groups = random.integers(0, len(GROUPS), (chunks, 2))
    return [
        Chunk(
            id=id,
            source=entry.source,
            uri=entry.uri,
            doc_id=entry.uri,
            version=entry.version,
            ordinal=number % PER_DOCUMENT,
            section="Section",
            text=" ".join(texts[number]),
            tokens=40,
            updated_at=entry.updated_at,
            groups=tuple(sorted({GROUPS[place] for place in groups[number]})),
            embedding=vectors[number],
            added_in=entry.added_in,
        )
        for entry in documents(chunks)
        for number, id in enumerate(entry.chunk_ids(where.kb), start=int(entry.uri) * PER_DOCUMENT)
    ]


def documents(chunks: int) -> Iterator[Entry]:
    """The manifest's entries. Example: 60,000 chunks -> documents 0 to 5999, from 5142 on added in generation 7"""
    count = chunks // PER_DOCUMENT
    for number in range(count):
        newest = number >= count - count // GENERATIONS
        yield Entry(
            source="documents",
            uri=str(number),
            version="v1",
            version_hint="v1",
            parser="p",
            chunker="c",
            size_bytes=1,
            updated_at=datetime(2026, 1, 1, tzinfo=UTC),
            chunks=PER_DOCUMENT,
            tokens=40 * PER_DOCUMENT,
            added_in=GENERATIONS if newest else 1 + number % (GENERATIONS - 1),
        )


def write_manifest(runtime: Runtime, where: Collection, chunks: int, ended: int) -> None:
    """The entries of the collection, of which the first ones ended with the last generation."""
    with runtime.database.transaction() as connection:
        for number, entry in enumerate(documents(chunks)):
            queries().add_manifest_entry(connection, collection_id=where.id, **vars(entry))
            if number < ended:
                queries().mark_manifest_removed(
                    connection, collection_id=where.id, generation=GENERATIONS, source=entry.source, uri=entry.uri
                )


def around(random: np.random.Generator, centres: Vector, count: int) -> Vector:
    """float32[count, DIMS] of unit length, each near one of the centres."""
    noise = random.standard_normal((count, DIMS)).astype(np.float32)
    vectors = centres[random.integers(0, len(centres), count)] + 0.7 * noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def make_collection(runtime: Runtime, provider: Any, kb: str) -> Collection:
    """An empty collection of its own."""
    with runtime.database.transaction() as connection:
        made = new_collection(connection, kb, VectorIndexBlock(provider=provider), Embeddings(), "random", DIMS, 1)
        runtime.index_in(connection, made).ensure()
    return made


def fill(runtime: Runtime, where: Collection, rows: Sequence[Chunk], progress: str) -> float:
    """Write in transactions of 500, as a run does; returns the seconds."""
    began = time.perf_counter()
    starts = range(0, len(rows), 500)
    for start in track(starts, f"import into {progress}") if progress else starts:
        in_index(runtime, where, lambda index, page=rows[start : start + 500]: index.upsert(page))
    in_index(runtime, where, lambda index: index.settle())
    return time.perf_counter() - began


def in_index(runtime: Runtime, where: Collection, work: Callable[[Any], Any]) -> float:
    """Seconds of some work on an index, commit included."""
    began = time.perf_counter()
    with runtime.database.transaction() as connection:
        work(runtime.index_in(connection, where))
    return time.perf_counter() - began


def searches(runtime: Runtime, where: Collection) -> dict[str, Callable[[Vector], object]]:
    """Searches by name, the one without any filter first."""
    mine = ["staff", "finance"]

    def by(settings: Retrieval, groups: Sequence[str]) -> Callable[[Vector], object]:
        def search(vector: Vector) -> object:
            with runtime.database.transaction() as connection:
                index = runtime.index_in(connection, where)
                return index.search(vector, "travel hotel visa", K, GENERATIONS, groups, settings)

        return search

    found = {"bare": bare_search(runtime, where), "release": release_search(runtime, where)}
    found["release and groups"] = by(Retrieval(), mine)
    if where.provider == "weaviate":
        found["hybrid, release and groups"] = by(Retrieval(search="hybrid"), mine)
    return found


def bare_search(runtime: Runtime, where: Collection) -> Callable[[Vector], object]:
    """Nearest rows, whoever may see them."""
    if where.provider == "weaviate":
        rows = runtime.servers.weaviate.collections.get(where.name)
        return lambda vector: rows.query.near_vector(vector.tolist(), limit=K, include_vector=True)
    return lambda vector: _by_sql(runtime, where, "true", vector)


def release_search(runtime: Runtime, where: Collection) -> Callable[[Vector], object]:
    """Nearest rows of the release."""
    if where.provider == "weaviate":
        from liftgate.index.weaviate import visible

        rows = runtime.servers.weaviate.collections.get(where.name)
        seen = visible(GENERATIONS)
        return lambda vector: rows.query.near_vector(vector.tolist(), limit=K, include_vector=True, filters=seen)
    return lambda vector: _by_sql(runtime, where, f"added_in <= {GENERATIONS} AND removed_in > {GENERATIONS}", vector)


def _by_sql(runtime: Runtime, where: Collection, condition: str, vector: Vector) -> object:
    with runtime.database.transaction() as connection:
        queries().scan_iteratively(connection, most="100000")
        statement = (
            f"SELECT id, text, 1 - (embedding::halfvec({DIMS}) <=> %s::halfvec({DIMS})) FROM chunks "
            f"WHERE collection_id = {where.id} AND {condition} "
            f"ORDER BY embedding::halfvec({DIMS}) <=> %s::halfvec({DIMS}) LIMIT {K}"
        )
        asked = vector_text(vector)
        return connection.execute(statement, [asked, asked]).fetchall()  # type: ignore[arg-type]


def median_milliseconds(search: Callable[[Vector], object], questions: Vector) -> float:
    """Of one search after the other; the first ten are not counted."""
    taken = []
    for vector in questions:
        began = time.perf_counter()
        search(vector)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[10:]) * 1000


def pointer(runtime: Runtime, where: Collection, size: int) -> Iterator[tuple[str, str]]:
    """Promotion and rollback between two releases of a collection, and what of a promotion is comparing ids."""
    for n in (1, 2):
        add_release(runtime, where, n)
    by = {"by": "benchmark", "run_id": where.kb, "why": "benchmark"}
    compared = seconds_of(lambda: require_whole(runtime, where.kb, 2))
    promoted = seconds_of(lambda: promote(runtime, where.kb, 2, **by))
    went_back = seconds_of(lambda: roll_back(runtime, where.kb, 1, kind="drill", **by))
    yield f"promoted, {size:,} chunks, ms", f"{promoted * 1000:.0f} (comparing ids {compared * 1000:.0f})"
    yield f"rolled back, {size:,} chunks, ms", f"{went_back * 1000:.0f}"


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes, without what it prints."""
    began = time.perf_counter()
    with redirect_stdout(StringIO()):
        work()
    return time.perf_counter() - began


def add_release(runtime: Runtime, where: Collection, n: int) -> None:
    """A release of that collection that was judged well, and differs in its prompt; the first one is live."""
    part = RetrievalPart(
        collection_id=where.id, collection=where.name, generation=GENERATIONS, digest="d", settings=Retrieval()
    )
    prompt = PromptPart(version=f"v{n}", text="$context $question")
    makeup = Makeup(retrieval=part, prompt=prompt, base=BasePart(model="none"), max_new_tokens=1)
    of = {"kb": where.kb, "run_id": "benchmark"}
    pair = {"candidate_fingerprint": makeup.fingerprint, "evaluation_fingerprint": f"e{n}"}
    with runtime.database.transaction() as connection:
        queries().add_release(
            connection,
            component="prompt",
            makeup=makeup.model_dump_json(),
            fingerprint=makeup.fingerprint,
            parent=n - 1 or None,
            unjudged=False,
            **of,
        )
        if n == 1:
            record(connection, where.kb, "promoted", by="benchmark", run_id="benchmark", release=1)
            return
        evaluation = queries().add_evaluation(connection, release=n, comparison="{}", **of, **pair)
        verdict = {"release": n, "evaluation_id": evaluation, "outcome": "promote", "verdict": "{}"}
        queries().add_verdict(connection, **verdict, **of, **pair)


def bytes_of(runtime: Runtime, where: Collection, work: Path) -> float:
    """On disk: the table with its indexes, or the server's files less what the small collection has."""
    if where.provider == "weaviate":
        folder = work / "weaviate" / "data" / (where.name[0].lower() + where.name[1:])
        return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    with runtime.database.transaction() as connection:
        row = connection.execute("SELECT pg_total_relation_size(%s::regclass) AS size", [where.name]).fetchone()
    return float(row["size"]) if row else 0.0


if __name__ == "__main__":
    main()
