"""Configuration files: every mistake is told at once, with file, path in the YAML and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from liftgate.config.reading import read_adapter, read_knowledge_base
from liftgate.errors import ConfigurationError
from liftgate.runs import Allowances, Scope, freeze_configuration, load_run
from liftgate.runtime import Runtime

SEED = Path(__file__).parents[2] / "seed" / "knowledge_bases" / "policies.yaml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    for name in ("questions.jsonl", "prompt.md"):
        (tmp_path / name).write_text("")
    path = tmp_path / "handbook.yaml"
    write(path, {})
    return path


def write(path: Path, changes: dict[str, Any], without: tuple[str, ...] = ()) -> Path:
    values: dict[str, Any] = {
        "name": "handbook",
        "ingestion": {"source": {"type": "folder", "path": "documents"}},
        "access": {"default_groups": []},
        "questions": {"file": "questions.jsonl"},
        "answers": {"prompt": "prompt.md"},
    }
    kept = {name: value for name, value in (values | changes).items() if name not in without}
    path.write_text(yaml.safe_dump(kept))
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        read_knowledge_base(path)
    first, *lines = str(error.value).splitlines()
    assert first == f"{len(lines)} mistake(s) in {path.name}:"
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_small_file_is_enough_and_its_paths_are_relative_to_it(file: Path) -> None:
    found = read_knowledge_base(file)
    assert found.questions.file == str(file.parent / "questions.jsonl")
    assert found.brakes.max_removed_share == 0.2


def test_seed_ingestion_block_is_valid_as_it_stands(file: Path) -> None:
    found = read_knowledge_base(write(file, {"ingestion": yaml.safe_load(SEED.read_text())["ingestion"]})).ingestion
    assert (found.sources[0].type, found.sources[0].name) == ("s3", "documents")
    assert (found.chunking.chunk_size_tokens, found.embeddings.model) == (450, "text-embedding-3-large")
    assert (found.vector_index.table, found.vector_index.dims, found.retrieval_defaults.top_k) == ("kb_chunks", 3072, 8)


def test_every_mistake_is_told_at_once_with_its_path_and_remedy(file: Path) -> None:
    source = {"type": "folder", "path": "a mount that is away"}
    chunking = {"chunk_size_tokens": "many", "chunk_overlap_tokens": 10, "stratgy": "recursive"}
    write(
        file,
        {"ingestion": {"source": source, "chunking": chunking}, "answers": {"prompt": "gone.md"}, "schedul": "@daily"},
        without=("access", "questions"),
    )
    told = mistakes(file)
    assert len(told) == 6
    wanted = [
        "access: this setting is required. Add it. (Who may read what.)",
        "questions: this setting is required. Add it. (The golden questions.)",
        "schedul: there is no such setting. Correct the spelling or remove it.",
        "ingestion.chunking.stratgy: there is no such setting. Correct the spelling or remove it.",
    ]
    assert [line for line in wanted if line not in told] == []
    for beginning, part in (
        ("ingestion.chunking.chunk_size_tokens: ", "found 'many'"),
        ("answers.prompt: ", f"there is no {file.parent / 'gone.md'}; create it, or correct the path"),
    ):
        assert any(line.startswith(beginning) and part in line for line in told), (beginning, told)


def test_groups_of_documents_without_a_rule_have_no_default(file: Path) -> None:
    assert "access.default_groups: this setting is required" in mistakes(write(file, {"access": {}}))[0]


def test_chunk_over_the_context_budget_is_refused(file: Path) -> None:
    source = {"type": "folder", "path": "documents"}
    sizes = {"chunking": {"chunk_size_tokens": 200}, "retrieval_defaults": {"max_context_tokens": 160}}
    (told,) = mistakes(write(file, {"ingestion": {"source": source, **sizes}}))
    assert told.startswith("ingestion: chunking.chunk_size_tokens is 200, more than the 160 tokens")


def test_overlap_and_minimum_over_the_chunk_size_are_refused(file: Path) -> None:
    source = {"type": "folder", "path": "documents"}
    chunking = {"chunk_size_tokens": 20, "chunk_overlap_tokens": 20, "min_chunk_tokens": 5}
    (told,) = mistakes(write(file, {"ingestion": {"source": source, "chunking": chunking}}))
    assert "chunk_overlap_tokens below chunk_size_tokens (20), found 20" in told


def test_sources_whose_citations_could_be_confused_are_refused(file: Path) -> None:
    sources = [{"type": "folder", "path": "documents", "name": name} for name in ("a", "b")]
    (told,) = mistakes(write(file, {"ingestion": {"sources": sources}}))
    assert "doc_id_prefix of its own" in told


@pytest.mark.parametrize("name", ["Handbook", "hand-book", "1st", "", "a" * 41])
def test_names_that_no_dag_could_have_are_refused(file: Path, name: str) -> None:
    (told,) = mistakes(write(file, {"name": name}))
    assert told.startswith("name: ")


def test_file_that_is_missing_or_no_yaml_or_a_list_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="found no such file. Create it"):
        read_knowledge_base(tmp_path / "none.yaml")
    for text, message in (("a: [", "Expected YAML"), ("- a", "found list"), ("", "found NoneType")):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(ConfigurationError, match=message):
            read_knowledge_base(tmp_path / "broken.yaml")


def test_adapter_without_open_groups_is_refused_with_the_reason(file: Path) -> None:
    adapter = {"name": "handbook", "knowledge_base": "handbook.yaml", "examples": "questions.jsonl"}
    path = file.parent / "adapter.yaml"
    path.write_text(yaml.safe_dump({**adapter, "training": {"base_model": "base"}}))
    with pytest.raises(ConfigurationError, match="open_groups"):
        read_adapter(path)


def test_chunk_over_the_embedders_limit_is_refused_when_a_run_starts(file: Path, shared_runtime: Runtime) -> None:
    """MiniLM reads 256 tokens, of which 2 are its own."""
    source = {"type": "folder", "path": "documents"}
    write(file, {"ingestion": {"source": source, "chunking": {"chunk_size_tokens": 255}}})
    with pytest.raises(ConfigurationError, match="at most 254.*found 255. Lower chunk_size_tokens"):
        freeze_configuration(shared_runtime, file, "kb_handbook:limit", Scope(), Allowances())


def test_run_keeps_the_configuration_with_which_it_started(file: Path, shared_runtime: Runtime) -> None:
    allowed = Allowances(removals=3)
    started = freeze_configuration(shared_runtime, file, "kb_handbook:frozen", Scope(include=("hr/**",)), allowed)
    write(file, {"brakes": {"max_removed_share": 0.9}})
    for name in ("questions.jsonl", "prompt.md"):
        (file.parent / name).unlink()
    assert load_run(shared_runtime.database, started.run_id) == started
    with pytest.raises(ConfigurationError, match="Clear freeze_configuration"):
        load_run(shared_runtime.database, "kb_handbook:another")
