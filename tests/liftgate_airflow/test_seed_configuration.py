"""The seed's configuration as it stands: a bucket, 3,072 dimensions of an OpenAI-compatible server, and a reranker.

The DAG runs as in an installation, with the servers named by Airflow connections. Only the models behind the servers
are not real: vectors and scores come from words.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases import Databases
from fpdf import FPDF
from model_servers import KEY, Fault, ModelServers, model_servers
from object_store import s3_server

from liftgate.cli.doctor import check
from liftgate.errors import ModelServerRefused
from liftgate.index.rows import vector_text
from liftgate.releases.ledger import live
from liftgate.retrieval import Asked, retrieve
from liftgate.runtime import Runtime
from liftgate.settings import Settings

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SEED = ROOT / "tests" / "seed"
BUCKET = "company-kb"
TOPICS = [
    f"{colour}{animal}"
    for colour in ("red", "blue", "green", "white", "black", "grey")
    for animal in ("fox", "owl", "elk", "bee", "cod", "yak")
]
FILLER = "Whoever is asked about it points to this page, and the page is read once a year by its owner. " * 40


@dataclass
class Seed:
    """An installation that ran the seed's knowledge base once."""

    runtime: Runtime
    servers: ModelServers
    file: Path
    state: str
    tasks: dict[str, str]
    log: str

    def query(self, statement: str) -> list[dict[str, Any]]:
        with self.runtime.database.transaction() as connection:
            return list(connection.execute(statement))  # type: ignore[arg-type]


def content(number: int, topic: str) -> tuple[str, bytes]:
    """A document of one of the three types: its name and its bytes. The first one is long."""
    heading = f"The {topic} desk"
    text = f"{heading} opens at {number + 100} sharp. {FILLER if number == 0 else ''}"
    if number % 3 == 0:
        return f"{topic}.md", f"# {heading}\n\n{text}\n".encode()
    if number % 3 == 1:
        return f"{topic}.txt", f"{heading}\n\n{text}\n".encode()
    pdf = FPDF()
    pdf.add_page()
    for words, size in ((heading, 20), (text, 11)):
        pdf.set_font("Helvetica", "", size)
        pdf.multi_cell(0, size * 0.55, words, new_x="LMARGIN", new_y="NEXT")
    return f"{topic}.pdf", bytes(pdf.output())


def question(number: int, topic: str, name: str) -> dict[str, Any]:
    asked = {"id": topic, "question": f"When does the {topic} desk open?", "family": name, "groups": ["staff"]}
    expected = {"expected": "answer", "sources": [name], "quote": f"opens at {number + 100} sharp"}
    return {**asked, **expected, "must_contain": [[str(number + 100)]], "judged": ["retrieval"]}


def fill(files: Any, folder: Path) -> None:
    """Write the documents into the bucket, and a question about each beside the configuration."""
    questions = []
    for number, topic in enumerate(TOPICS):
        name, data = content(number, topic)
        files.pipe_file(f"{BUCKET}/policies/{name}", data)
        questions.append(question(number, topic, name))
    files.pipe_file(f"{BUCKET}/policies/board/pay.md", b"# Pay\n\nThe board is paid in redfox shares.\n")
    files.pipe_file(f"{BUCKET}/policies/page.html", b"<p>Not one of the allowed types.</p>")
    files.pipe_file(f"{BUCKET}/elsewhere/other.md", b"# Other\n\nOutside of the prefix.\n")
    (folder / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))


@pytest.fixture(scope="module")
def seed(databases: Databases, airflow_metadata: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    """One run of kb_policies over everything, in a folder of its own of Airflow's only bundle."""
    bundle, files_url = airflow_metadata / "seed", str(tmp_path_factory.mktemp("seed"))
    shutil.copytree(SEED, bundle)
    shutil.copy(ROOT / "dags" / "knowledge_base.py", bundle)
    url = databases.make("seed")
    extras = {"files_url": files_url, "models_dir": str(ROOT / ".models")}
    with pytest.MonkeyPatch.context() as patch, model_servers() as servers, s3_server(patch) as (files, _):
        files.mkdir(BUCKET)
        fill(files, bundle)
        runtime = Runtime(Settings.model_validate({"database_url": url, **extras, **servers.settings}))
        runtime.database.upgrade()
        connect(patch, url, extras, servers)
        yield run(bundle, runtime, servers)
        files.rm(BUCKET, recursive=True)
    shutil.rmtree(bundle)
    databases.done("seed")


def connect(patch: pytest.MonkeyPatch, url: str, extras: dict[str, str], servers: ModelServers) -> None:
    """The connections as a team makes them in Airflow: our database, which names those of the model servers."""
    from psycopg.conninfo import conninfo_to_dict

    address = conninfo_to_dict(url)
    named = {"host": address["host"], "openai_conn_id": "team_openai", "rerank_conn_id": "team_rerank"}
    database = {"conn_type": "postgres", "login": "postgres", "schema": "seed", "extra": {**named, **extras}}
    patch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps(database))
    for name, server in (("openai", f"{servers.url}/v1"), ("rerank", f"{servers.url}/rerank")):
        connection = {"conn_type": "openai", "host": server, "password": KEY}
        patch.setenv(f"AIRFLOW_CONN_TEAM_{name.upper()}", json.dumps(connection))


def run(bundle: Path, runtime: Runtime, servers: ModelServers) -> Seed:
    """A run of the DAG, with all that it printed and logged."""
    import io
    import logging
    from contextlib import redirect_stderr, redirect_stdout

    from airflow.dag_processing.dagbag import DagBag

    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    with redirect_stdout(said), redirect_stderr(said):
        made = DagBag(bundle, bundle_path=bundle.parent).dags["kb_policies"].test()
    logging.getLogger().removeHandler(handler)
    tasks = {ti.task_id: str(ti.state) for ti in made.get_task_instances()}
    file = bundle / "knowledge_bases" / "policies.yaml"
    return Seed(runtime, servers, file, str(made.state.value), tasks, said.getvalue())


def test_the_whole_run_ends_with_a_live_release(seed: Seed) -> None:
    assert seed.state == "success", (seed.tasks, seed.log[-3000:])
    assert seed.tasks["promote"] == seed.tasks["validate_chunks"] == "success"
    assert seed.query("SELECT n FROM live_releases WHERE kb = 'policies'") == [{"n": 1}]


def test_the_rows_are_those_of_the_bucket_and_its_allowed_types(seed: Seed) -> None:
    names = {content(number, topic)[0] for number, topic in enumerate(TOPICS)} | {"board/pay.md"}
    assert {row["uri"] for row in seed.query("SELECT uri FROM chunks")} == names
    assert [row["uri"] for row in seed.query("SELECT uri FROM quarantine")] == ["page.html"]
    (long,) = seed.query(f"SELECT count(*) AS n, max(tokens) AS most FROM chunks WHERE uri = '{TOPICS[0]}.md'")
    assert long["n"] > 1
    assert long["most"] <= 450


def test_vectors_have_3072_dimensions_and_an_index_that_a_search_can_use(seed: Seed) -> None:
    (where,) = seed.query("SELECT id, name, dims, provider FROM collections")
    assert (where["dims"], where["provider"]) == (3072, "pgvector")
    assert where["name"].startswith("kb_chunks")
    search = "SELECT id FROM chunks WHERE collection_id = %s ORDER BY embedding::halfvec(3072) <=> %s LIMIT 8"
    vector = vector_text(np.full(3072, 0.1, dtype=np.float32))
    with seed.runtime.database.transaction() as connection:
        # So few rows PostgreSQL would rather sort.
        for other in ("seqscan", "sort", "bitmapscan"):
            connection.execute(f"SET LOCAL enable_{other} = off")  # type: ignore[arg-type]
        plan = connection.execute(f"EXPLAIN {search}", [where["id"], vector]).fetchall()  # type: ignore[arg-type]
    assert f"{where['name']}_hnsw" in json.dumps(plan)


def test_chunks_are_embedded_in_batches_and_questions_are_reranked_one_by_one(seed: Seed) -> None:
    chunks = seed.query("SELECT count(*) AS n FROM chunks")[0]["n"]
    assert [len(batch) for batch in seed.servers.inputs[:2]] == [chunks, len(TOPICS)]
    assert {body["model"] for path, body, _ in seed.servers.asked if path == "/v1/embeddings"} == {
        "text-embedding-3-large"
    }
    reranked = [body for path, body, _ in seed.servers.asked if path == "/rerank"]
    assert {len(body["documents"]) for body in reranked} == {8}
    assert {body["query"] for body in reranked} >= {f"When does the {topic} desk open?" for topic in TOPICS}


def test_the_key_is_sent_and_told_to_nobody(seed: Seed) -> None:
    assert {authorization for _, _, authorization in seed.servers.asked} == {f"Bearer {KEY}"}
    assert "questions retrieved" in seed.log
    assert KEY not in seed.log


def test_a_question_finds_its_document_within_the_budget_for_those_who_may_read_it(seed: Seed) -> None:
    with seed.runtime.database.transaction() as connection:
        release = live(connection, "policies")
    assert release
    asked = [Asked("When does the blueowl desk open?", ("staff",)), Asked("How is the board paid?", ("staff",))]
    desk, pay = retrieve(seed.runtime, release.makeup, asked)
    assert desk.chunks[0].uri == "blueowl.txt"
    assert not [hit for hit in pay.chunks if hit.uri == "board/pay.md"]
    assert release.makeup.retrieval.settings.max_context_tokens == 2400


def test_a_reranker_that_fails_is_an_error_and_leaves_nothing_unranked(seed: Seed) -> None:
    with seed.runtime.database.transaction() as connection:
        release = live(connection, "policies")
    assert release
    seed.servers.faults = [Fault(200, {"results": []})]
    with pytest.raises(ModelServerRefused, match="rerank to false"):
        retrieve(seed.runtime, release.makeup, [Asked("When does the blueowl desk open?", ("staff",))])


def test_the_doctor_asks_both_servers_and_names_a_key_that_is_refused(seed: Seed) -> None:
    said = {finding.what: finding for finding in check(seed.runtime.settings, [seed.file])}
    assert [finding.said for finding in said.values() if not finding.ok] == []
    assert "3072 dimensions" in said["policies.yaml: embedder"].said
    wrong = Settings.model_validate({**seed.runtime.settings.model_dump(), "openai_api_key": "sk-wrong"})
    (refused,) = [finding for finding in check(wrong, [seed.file]) if not finding.ok]
    assert (refused.what, "LIFTGATE_OPENAI_API_KEY" in refused.said) == ("policies.yaml: embedder", True)
