from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes_server import kubernetes_server
from model_servers import model_servers

from liftgate.cli.doctor import Finding, check
from liftgate.jobs.api import api_client
from liftgate.local.models import SMOLLM2
from liftgate.runtime import Runtime
from liftgate.settings import Settings

ROOT = Path(__file__).parents[3]
HANDBOOK = ROOT / "examples" / "handbook"
TRAINER = ROOT / "trainer_image"


def problems(findings: list[Finding]) -> dict[str, str]:
    return {finding.what: finding.said for finding in findings if not finding.ok}


@pytest.mark.slow
def test_sound_installation_with_the_example_has_no_problem(shared_runtime: Runtime) -> None:
    files = [HANDBOOK / "knowledge_bases" / "handbook.yaml", HANDBOOK / "adapters" / "handbook.yaml"]
    findings = check(shared_runtime.settings.model_copy(update={"trainer_dir": str(TRAINER)}), files)
    assert problems(findings) == {}
    assert {"database", "migrations", "pgvector", "files", "handbook.yaml: questions"} <= {f.what for f in findings}


def test_each_broken_setting_is_told_with_its_remedy(shared_runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    broken = {
        "database_url": "postgresql://nobody@127.0.0.1:1/none",
        "files_url": str(tmp_path / "file"),
        "models_dir": str(tmp_path / "none"),
        "trainer_dir": str(tmp_path / "none"),
        "cpu_threads": 10_000,
    }
    found = problems(check(shared_runtime.settings.model_copy(update=broken), []))
    assert set(found) == {"database", "migrations", "pgvector", "files", "models folder", "trainer", "threads"}
    assert "LIFTGATE_DATABASE_URL" in found["database"]
    assert "LIFTGATE_FILES_URL" in found["files"]
    assert "python -m liftgate.local.models" in found["models folder"]
    assert "LIFTGATE_TRAINER_DIR" in found["trainer"]


def test_files_elsewhere_than_in_a_folder_are_a_problem(shared_runtime: Runtime) -> None:
    """This version would take the address for the name of a folder."""
    settings = shared_runtime.settings.model_copy(update={"files_url": "s3://bucket/files"})
    assert "every worker" in problems(check(settings, []))["files"]


def test_empty_database_lacks_migrations_and_pgvector(shared_runtime: Runtime, database_url: str) -> None:
    settings = shared_runtime.settings.model_copy(update={"database_url": database_url, "trainer_dir": str(TRAINER)})
    found = problems(check(settings, []))
    assert set(found) == {"migrations", "pgvector"}
    assert "liftgate db upgrade" in found["migrations"]


def test_a_right_that_is_missing_on_the_cluster_is_a_problem(shared_runtime: Runtime, tmp_path: Path) -> None:
    text = (HANDBOOK / "adapters" / "handbook.yaml").read_text().replace("../", f"{HANDBOOK}/")
    path = tmp_path / "adapters" / "handbook.yaml"
    path.parent.mkdir()
    path.write_text(text.replace("backend: local", "backend: pytorchjob"))
    with kubernetes_server(tmp_path / "cluster") as server:
        server.forbidden = {"create pytorchjobs"}
        asked: list[str] = []

        def cluster(conn_id: str) -> Any:
            asked.append(conn_id)
            return api_client(str(server.kubeconfig))

        found = problems(check(shared_runtime.settings, [path], clusters=cluster))
    assert "create pytorchjobs" in found["handbook.yaml: cluster that trains"]
    assert asked == ["kubernetes_default"]


def test_each_mistake_of_a_configuration_is_its_own_finding(kb: Any) -> None:
    kb.settings["ingestion"] |= {
        "chunking": {"chunk_size_tokens": 300},
        "vector_index": {"dims": 7},
        "retrieval_defaults": {"rerank": True},
    }
    kb.settings["answers"] |= {"base_model": "nowhere/none"}
    kb.write_settings()
    (kb.folder / "prompt.md").write_text("no front matter")
    (kb.folder / "questions.jsonl").write_text("broken")
    for path in (kb.folder / "documents").iterdir():
        path.unlink()
    found = problems(check(kb.runtime.settings, [kb.file]))
    wanted = "source documents, embedder, index, reranker, base model, prompt, questions, families"
    assert [what.removeprefix(f"{kb.file.name}: ") for what in found if kb.file.name in what] == wanted.split(", ")
    assert "chunk_size_tokens of at most" in found[f"{kb.file.name}: embedder"]


def test_server_that_answers_is_asked_for_the_base_model(kb: Any) -> None:
    what = f"{kb.file.name}: server that answers"
    with model_servers() as servers:
        settings = kb.runtime.settings.model_copy(update={"generator_url": f"{servers.url}/v1"})
        assert "Correct LIFTGATE_GENERATOR_API_KEY" in problems(check(settings, [kb.file]))[what]
        settings = Settings.model_validate({**kb.runtime.settings.model_dump(), **servers.answering})
        assert "set LIFTGATE_GENERATOR_BASE to its name there" in problems(check(settings, [kb.file]))[what]
        servers.models[SMOLLM2] = str
        assert what not in problems(check(settings, [kb.file]))


def test_pools_are_named_with_who_tells_whether_they_are_there(kb: Any) -> None:
    def said() -> list[str]:
        return [one.said for one in check(kb.runtime.settings, [kb.file]) if one.what == f"{kb.file.name}: pools"]

    assert said() == []
    kb.write_settings(pool="light", models_pool="models")
    (found,) = said()
    assert found.startswith("light, models, not looked up. ")
    assert "take_a_slot of the DAG housekeeping" in found


def test_file_that_does_not_validate_is_one_finding(kb: Any) -> None:
    kb.write_settings(unknown=1)
    assert "no such setting" in problems(check(kb.runtime.settings, [kb.file]))[f"{kb.file.name}: settings"]


@pytest.mark.parametrize("name", ["prompt.md", "questions.jsonl", "families.yaml"])
@pytest.mark.parametrize("fault", ["no text", "a folder"])
def test_file_that_cannot_be_read_is_a_finding_and_all_that_comes_later_is_checked(
    kb: Any, name: str, fault: str
) -> None:
    kb.write_settings(
        questions={"file": "../questions.jsonl", "families": "../families.yaml"},
        notify=[{"when": ["brake"], "conn_id": "chat"}],
    )
    (kb.folder / "families.yaml").write_text("leave: [leave.md]\n")
    (kb.folder / name).unlink()
    if fault == "a folder":
        (kb.folder / name).mkdir()
    else:
        (kb.folder / name).write_bytes(b"\xff\xfe\xfa")
    findings = check(kb.runtime.settings, [kb.file])
    said = problems(findings)[f"{kb.file.name}: {name.partition('.')[0]}"]
    assert name in said
    assert ("Save the file as UTF-8." in said) if fault == "no text" else ("Name a file" in said)
    assert findings[-1].what == f"{kb.file.name}: notify"


def test_front_matter_of_a_prompt_that_is_no_yaml_is_a_finding(kb: Any) -> None:
    (kb.folder / "prompt.md").write_text("---\nrefusal: [\n---\n$context $question\n")
    said = problems(check(kb.runtime.settings, [kb.file]))[f"{kb.file.name}: prompt"]
    assert said.startswith("Expected YAML as front matter of ")


@pytest.mark.parametrize("fault", ["no text", "a folder"])
def test_configuration_that_cannot_be_read_is_one_finding(kb: Any, fault: str) -> None:
    path = kb.folder if fault == "a folder" else kb.file
    kb.file.write_bytes(b"\xff\xfe\xfa")
    said = problems(check(kb.runtime.settings, [path]))[f"{path.name}: settings"]
    assert str(path) in said


def test_schedule_that_is_no_cron_is_a_problem(kb: Any) -> None:
    kb.write_settings(schedule="often")
    said = problems(check(kb.runtime.settings, [kb.file]))[f"{kb.file.name}: settings"]
    assert "schedule: expected a cron expression like 0 2 * * *, found 'often'; correct it" in said


def test_way_of_telling_that_can_be_nothing_is_a_problem_and_who_looks_the_others_up_is_said(kb: Any) -> None:
    what = f"{kb.file.name}: notify"
    kb.write_settings(notify=[{"when": ["brake"], "using": "mail", "conn_id": "mail"}])
    assert "found mail. Correct it." in problems(check(kb.runtime.settings, [kb.file]))[what]
    kb.write_settings(notify=[{"when": ["brake"], "using": "email", "conn_id": "mail"}])
    (said,) = [one.said for one in check(kb.runtime.settings, [kb.file]) if one.what == what]
    assert said.startswith("email by connection mail, not looked up: the task doctor of the DAG housekeeping")


def test_question_that_names_another_family_than_its_source_is_found(kb: Any) -> None:
    (kb.folder / "families.yaml").write_text("leave: [leave.md]\nhours: [leave.md]\n")
    kb.write_settings(questions={"file": "../questions.jsonl", "families": "../families.yaml"})
    found = problems(check(kb.runtime.settings, [kb.file]))[f"{kb.file.name}: families"]
    assert "q-1" in found
    assert "more than one family" in found


def test_command_ends_with_1_where_there_is_a_problem(kb: Any, liftgate: Any) -> None:
    kb.write_settings(unknown=1)
    result = liftgate("doctor", "--config", kb.file)
    assert (result.exit_code, f"PROBLEM  {kb.file.name}: settings" in result.stdout) == (1, True)
    assert "problem(s)." in result.stdout


def test_a_source_that_does_not_answer_is_one_problem(kb: Any) -> None:
    kb.ingest(source={"type": "git", "name": "wiki", "url": str(kb.folder / "no-such-repository")})
    findings = [one for one in check(kb.runtime.settings, [kb.file]) if kb.file.name in one.what]
    assert f"{kb.file.name}: source wiki" in problems(findings)
    (families,) = [one for one in findings if one.what.endswith("families")]
    assert (families.ok, families.said.rpartition("; ")[2]) == (True, "not compared with what wiki would list")
