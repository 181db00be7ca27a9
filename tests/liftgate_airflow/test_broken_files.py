"""Configuration files with mistakes: what becomes of their DAGs, and of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from liftgate.cli.init import TEMPLATES

EXPECTED = {
    "kb_handbook",
    "prompt_handbook",
    "adapter_handbook",
    "roll_back_handbook",
    "resume_handbook",
    "housekeeping",
}
Parsed = Callable[[Path], dict[str, Any]]


def test_broken_file_becomes_a_red_dag_and_takes_nobody_down(bundle: Path, parsed: Parsed) -> None:
    (bundle / "knowledge_bases" / "broken.yaml").write_text("name: broken\nshedule: '@daily'\n")
    (bundle / "knowledge_bases" / "no yaml.yaml").write_text(": [")
    dags = parsed(bundle)
    assert set(dags) >= EXPECTED | {"kb_broken", "prompt_broken", "roll_back_broken", "kb_no_yaml"}
    for dag_id in ("kb_broken", "kb_no_yaml"):
        assert "no new run can begin" in dags[dag_id].doc_md
    assert "shedule: there is no such setting" in dags["kb_broken"].doc_md
    assert "ingestion: this setting is required" in dags["kb_broken"].doc_md


def test_dag_of_a_file_that_broke_keeps_its_tasks_for_the_runs_that_had_begun(bundle: Path, parsed: Parsed) -> None:
    """Airflow takes every task from a run that its DAG has no more, and the turn that it holds is never given back."""
    file = bundle / "knowledge_bases" / "handbook.yaml"
    right = file.read_text() + "approval: {of: [retrieval]}\n"
    file.write_text(right)
    whole = parsed(bundle)
    for wrong in ("brakes: {max_removed_shares: 1}\n", "brakes: {\n"):
        file.write_text(right + wrong)
        broken = parsed(bundle)
        assert {dag_id: dag.task_ids for dag_id, dag in broken.items()} == {
            dag_id: dag.task_ids for dag_id, dag in whole.items()
        }
        assert "no new run can begin" in broken["kb_handbook"].doc_md


def test_what_only_others_start_is_never_paused_when_it_is_made(bundle: Path, parsed: Parsed) -> None:
    """Not even while its file is broken, since Airflow does not ask again: runs of it would wait unseen for ever."""
    (bundle / "knowledge_bases" / "broken.yaml").write_text("approval: {of: [adapter]}\n")
    (bundle / "adapters" / "broken.yaml").write_text("- []\n")
    dags = parsed(bundle)
    asked_for = {dag_id for dag_id in dags if dag_id.startswith(("approve_", "canary_", "roll_back_", "resume_"))}
    assert asked_for >= {"approve_broken", "canary_broken", "roll_back_broken", "resume_handbook"}
    assert {dag_id for dag_id, dag in dags.items() if dag.is_paused_upon_creation is False} == asked_for
    assert dags["approve_broken"].schedule is None
    assert dags["kb_broken"].schedule is not None


def test_broken_kind_of_source_takes_nobody_down_who_does_not_use_it(bundle: Path, parsed: Parsed) -> None:
    (bundle / "sources").mkdir()
    (bundle / "sources" / "wiki.py").write_text("import nothing_like_it  # for a dag of airflow")
    (bundle / ".airflowignore").write_text((TEMPLATES / ".airflowignore").read_text())
    folder = bundle / "knowledge_bases"
    text = (folder / "handbook.yaml").read_text().replace("name: handbook", "name: wiki", 1)
    (folder / "wiki.yaml").write_text(text.replace("type: folder", "type: wiki", 1))
    dags = parsed(bundle)
    assert "list_sources" in dags["kb_wiki"].task_ids
    assert "No module named 'nothing_like_it'" in dags["kb_wiki"].doc_md
    assert "wait_for_turn" in dags["kb_handbook"].task_ids


def test_file_must_be_named_like_what_it_configures(bundle: Path, parsed: Parsed) -> None:
    folder = bundle / "knowledge_bases"
    (folder / "copy.yaml").write_text((folder / "handbook.yaml").read_text())
    dags = parsed(bundle)
    assert dags["kb_copy"].task_ids == ["configuration_is_valid"]
    assert "wait_for_turn" in dags["kb_handbook"].task_ids


def test_schedule_that_is_no_cron_takes_nobody_down(bundle: Path, parsed: Parsed) -> None:
    folder = bundle / "knowledge_bases"
    text = (folder / "handbook.yaml").read_text()
    bad = text.replace("name: handbook", "name: bad", 1).replace('"0 2 * * *"', "often")
    (folder / "bad.yaml").write_text(bad)
    dags = parsed(bundle)
    assert "found 'often'" in dags["kb_bad"].doc_md
    assert set(dags) >= EXPECTED
