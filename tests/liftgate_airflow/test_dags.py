from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

HEAVY = """
    torch transformers peft sentence_transformers weaviate unstructured great_expectations kubeflow kubernetes
    spacy pandas scipy ir_measures numpy psycopg
""".split()  # noqa: SIM905
EXPECTED = {
    "kb_handbook",
    "prompt_handbook",
    "adapter_handbook",
    "roll_back_handbook",
    "resume_handbook",
    "housekeeping",
}
GATES = {
    "kb_handbook": ["plan_changes", "close_generation", "validate_chunks", "retrieve_for_questions", "evaluate"],
    "prompt_handbook": ["answer_with_candidate", "answer_with_baseline", "compare_answers", "evaluate"],
    "adapter_handbook": [
        "validate_tuning_set",
        "train",
        "answer_with_candidate",
        "answer_with_baseline",
        "compare_answers",
        "evaluate",
    ],
}
Parsed = Callable[[Path], dict[str, Any]]


@pytest.fixture
def dags(bundle: Path, parsed: Parsed) -> dict[str, Any]:
    return parsed(bundle)


def test_every_dag_is_there(dags: dict[str, Any]) -> None:
    assert set(dags) == EXPECTED


def test_every_field_of_every_form_says_what_it_is_for(bundle: Path, parsed: Parsed) -> None:
    for folder, more in (("knowledge_bases", "approval: {of: [retrieval]}"), ("adapters", "canary: {hours: 2}")):
        file = bundle / folder / "handbook.yaml"
        file.write_text(f"{file.read_text()}\n{more}\n")
    dags = parsed(bundle)
    assert set(dags) == EXPECTED | {"approve_handbook", "canary_handbook"}
    fields = [(dag.dag_id, name, dag.params.get_param(name)) for dag in dags.values() for name in dag.params]
    assert {"kind", "why", "release", "force"} <= {name for _, name, _ in fields}
    silent = [(dag, name) for dag, name, param in fields if not (param.schema.get("title") and param.description)]
    assert silent == []


def test_every_dag_has_a_page_that_ends_with_triage(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert "### Triage" in dag.doc_md
        named = [task.task_id.rpartition(".")[2] for task in dag.tasks]
        assert [name for name in named if f"**{name}**" not in dag.doc_md] == [], dag.dag_id


@pytest.mark.parametrize("dag_id", GATES)
def test_every_gate_stands_before_the_promotion(dags: dict[str, Any], dag_id: str) -> None:
    promote = dags[dag_id].get_task("promote")
    before = promote.get_flat_relative_ids(upstream=True)
    assert [gate for gate in [*GATES[dag_id], "decide"] if gate not in before] == []
    assert promote.get_direct_relative_ids(upstream=True) >= {"decide"}


@pytest.mark.parametrize("dag_id", GATES)
def test_nothing_between_a_gate_and_a_promotion_runs_after_a_failure(dags: dict[str, Any], dag_id: str) -> None:
    dag = dags[dag_id]
    path = [*dag.get_task("promote").get_flat_relatives(upstream=True), dag.get_task("promote")]
    assert {task.trigger_rule for task in path} == {"all_success"}
    assert not any(task.is_teardown for task in path)


@pytest.mark.parametrize("dag_id", GATES)
def test_notify_ends_the_flow_whatever_branch_was_taken(dags: dict[str, Any], dag_id: str) -> None:
    notify = dags[dag_id].get_task("notify")
    assert notify.trigger_rule == "none_failed_min_one_success"
    assert notify.downstream_task_ids == set()
    assert notify.upstream_task_ids >= {"promote", "reject", "hold"}


def test_turn_is_taken_before_anything_writes_and_given_back_by_a_teardown(dags: dict[str, Any]) -> None:
    dag = dags["kb_handbook"]
    wait, release = dag.get_task("wait_for_turn"), dag.get_task("release_turn")
    assert wait.is_setup
    assert release.is_teardown
    assert "release_turn" in wait.downstream_task_ids
    for name in ("plan_changes", "index_changes", "close_generation"):
        assert "wait_for_turn" in dag.get_task(name).get_flat_relative_ids(upstream=True)
        assert "release_turn" in dag.get_task(name).get_flat_relative_ids(upstream=False)
    assert "wait_for_turn" not in dag.get_task("apply_access").get_flat_relative_ids(upstream=True)


def test_every_step_is_a_function_of_the_library(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            if (page := task.doc_md or "").startswith("`"):
                name, module = page.split("`")[1:4:2]
                assert callable(getattr(import_module(module), name))
                assert task.task_id.rpartition(".")[2] == name


def test_every_task_is_retried_at_least_once(dags: dict[str, Any]) -> None:
    assert min(task.retries for dag in dags.values() for task in dag.tasks) >= 1


def test_tasks_that_load_a_model_wait_in_the_pool_of_models(dags: dict[str, Any]) -> None:
    pools = {task.task_id for dag in dags.values() for task in dag.tasks if task.pool == "models"}
    assert pools >= {"index_changes", "validate_chunks", "retrieve_for_questions", "train", "answer_with_candidate"}
    assert not pools & {"wait_for_turn", "list_sources", "promote", "decide"}


def test_page_says_how_to_make_the_pool_that_a_task_waits_in(dags: dict[str, Any]) -> None:
    command = "`airflow pools set models 1 "
    steps = [task for dag in dags.values() for task in dag.tasks if task.pool == "models"]
    assert [task.task_id for task in steps if command not in task.doc_md] == []
    assert "pools set" not in dags["kb_handbook"].get_task("list_sources").doc_md
    assert [name for name in GATES if "- A task stays *scheduled*" not in dags[name].doc_md] == []


def test_promotions_and_rollbacks_emit_their_assets(dags: dict[str, Any]) -> None:
    def emitted(dag_id: str, task_id: str) -> set[str]:
        return {asset.uri for asset in dags[dag_id].get_task(task_id).outlets}

    assert emitted("kb_handbook", "promote") == {"liftgate://handbook/index", "liftgate://handbook/release"}
    assert emitted("adapter_handbook", "promote") == {"liftgate://handbook/adapter", "liftgate://handbook/release"}
    assert emitted("prompt_handbook", "promote") == {"liftgate://handbook/release"}
    assert emitted("roll_back_handbook", "roll_back") == {"liftgate://handbook/release"}


def test_approval_is_a_dag_of_its_own_and_a_branch_only_where_it_is_configured(bundle: Path, parsed: Parsed) -> None:
    assert "ask_for_approval" not in parsed(bundle)["kb_handbook"].task_ids
    file = bundle / "knowledge_bases" / "handbook.yaml"
    file.write_text(file.read_text() + "\napproval: {of: [retrieval], users: [ada], deadline_hours: 2}\n")
    dags = parsed(bundle)
    assert set(dags) == EXPECTED | {"approve_handbook"}
    branch = dags["kb_handbook"].get_task("ask_for_approval")
    assert branch.get_direct_relative_ids(upstream=True) >= {"decide"}
    assert "promote" not in branch.get_flat_relative_ids(upstream=False)
    assert dags["kb_handbook"].get_task("start_approval").trigger_dag_id == "approve_handbook"
    assert "ask_for_approval" not in dags["prompt_handbook"].task_ids
    approve = dags["approve_handbook"]
    waits = approve.get_task("wait_for_answer")
    assert (waits.options, waits.defaults, waits.response_timeout) == (
        ["promote", "reject", "hold"],
        ["hold"],
        timedelta(hours=2),
    )
    assert waits.assigned_users == [{"id": "ada", "name": "ada"}]
    assert approve.get_task("promote").get_flat_relative_ids(upstream=True) >= {"record_answer", "decide"}
    assert approve.max_active_runs > 10
    assert "start_canary" not in approve.task_ids
    assert "### Triage" in approve.doc_md
    assert [name for name in approve.task_ids if f"**{name}**" not in approve.doc_md] == []


def test_canary_is_a_dag_of_its_own_and_a_branch_only_where_it_is_configured(bundle: Path, parsed: Parsed) -> None:
    assert "start_canary" not in parsed(bundle)["adapter_handbook"].task_ids
    file = bundle / "adapters" / "handbook.yaml"
    file.write_text(file.read_text() + "\ncanary: {hours: 2}\n")
    knowledge_base = bundle / "knowledge_bases" / "handbook.yaml"
    knowledge_base.write_text(knowledge_base.read_text() + "\napproval: {of: [adapter]}\n")
    dags = parsed(bundle)
    assert set(dags) == EXPECTED | {"canary_handbook", "approve_handbook"}
    assert "trigger_canary" in dags["approve_handbook"].get_task("start_canary").downstream_task_ids
    approve = dags["approve_handbook"]
    assert [name for name in approve.task_ids if f"**{name}**" not in approve.doc_md] == []
    branch = dags["adapter_handbook"].get_task("start_canary")
    assert branch.get_direct_relative_ids(upstream=True) >= {"decide"}
    assert "promote" not in branch.get_flat_relative_ids(upstream=False)
    assert "trigger_canary" in branch.downstream_task_ids
    assert "start_canary" not in dags["kb_handbook"].task_ids
    canary = dags["canary_handbook"]
    promote = canary.get_task("promote")
    assert promote.get_flat_relative_ids(upstream=True) == {"wait_for_outcomes", "judge_canary", "decide"}
    assert {canary.get_task(name).trigger_rule for name in ("judge_canary", "decide", "promote")} == {"all_success"}
    assert {asset.uri for asset in promote.outlets} == {"liftgate://handbook/adapter", "liftgate://handbook/release"}
    assert canary.get_task("run_again").trigger_dag_id == "adapter_handbook"
    assert canary.tags == {"liftgate", "canary", "handbook"}
    assert "### Triage" in canary.doc_md
    assert [name for name in canary.task_ids if f"**{name}**" not in canary.doc_md] == []


def test_task_that_starts_builds_its_own_dag_only(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, parsed: Parsed
) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "roll_back_handbook")
    assert set(parsed(bundle)) == {"roll_back_handbook", "housekeeping"}


def test_parsing_imports_nothing_heavy(bundle: Path) -> None:
    code = (
        "import sys\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"before = set(sys.modules)\nbag = DagBag({str(bundle)!r}, bundle_path={str(bundle)!r})\n"
        "assert not bag.import_errors and len(bag.dags) == 6, bag.import_errors\n"
        f"print('heavy:', [name for name in {HEAVY} if name in set(sys.modules) - before])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_plugin_is_registered_once() -> None:
    from airflow import plugins_manager

    plugins, errors = plugins_manager._get_plugins()
    assert [plugin.name for plugin in plugins].count("liftgate") == 1
    assert errors == {}


def test_code_in_the_plugins_folder_is_not_executed_as_plugins() -> None:
    plugins = Path(__file__).parents[2] / "plugins"
    assert (plugins / ".airflowignore").read_text().split() == ["liftgate_airflow"]


def test_every_dag_is_tagged_with_its_kind_and_its_knowledge_base(dags: dict[str, Any]) -> None:
    assert dags["kb_handbook"].tags == {"liftgate", "kb", "handbook"}
    assert dags["roll_back_handbook"].tags == {"liftgate", "roll_back", "handbook"}
    assert dags["housekeeping"].tags == {"liftgate", "housekeeping"}


def test_owner_leads_somewhere_where_the_file_says_so(bundle: Path, parsed: Parsed) -> None:
    file = bundle / "knowledge_bases" / "handbook.yaml"
    file.write_text(file.read_text() + "owner_link: https://example.com/people-team\n")
    assert parsed(bundle)["kb_handbook"].owner_links == {"people-team": "https://example.com/people-team"}
    file.write_text(file.read_text().replace("https://", "no address "))
    assert parsed(bundle)["kb_handbook"].task_ids == ["configuration_is_valid"]


def test_graph_is_boxed_for_readers_while_tasks_keep_their_ids(dags: dict[str, Any]) -> None:
    groups = {name: set(group.children) for name, group in dags["kb_handbook"].task_group_dict.items() if name}
    assert groups["index"] >= {"wait_for_turn", "plan_changes", "index_changes", "close_generation", "release_turn"}
    assert groups["judge"] >= {"validate_chunks", "evaluate"}
    assert groups["settle"] >= {"decide", "promote", "notify"}


def test_every_pool_that_a_file_names_is_tried_by_housekeeping(dags: dict[str, Any]) -> None:
    assert dags["housekeeping"].get_task("pool_models.take_a_slot").pool == "models"
