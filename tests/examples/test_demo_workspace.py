"""The demo's copy of the handbook: made anew, changed as its users would change it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"
sys.path.insert(0, str(HANDBOOK))

from demo.failures import DemoFailed  # noqa: E402
from demo.workspace import Workspace  # noqa: E402

from liftgate.config.reading import read_adapter, read_knowledge_base  # noqa: E402


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "demo")
    with made.lock():
        made.make()
    return made


def settings_of(workspace: Workspace) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(workspace.knowledge_base.read_text())
    return loaded


def test_the_copy_holds_dag_files_beside_a_configuration_that_is_valid(workspace: Workspace) -> None:
    assert {"knowledge_base.py", "adapter.py", "roll_back.py"} <= {
        path.name for path in workspace.handbook.glob("*.py")
    }
    assert read_knowledge_base(workspace.knowledge_base).name == "handbook"
    assert read_adapter(workspace.handbook / "adapters" / "handbook.yaml").name == "handbook"


def test_what_an_earlier_demo_left_is_gone(workspace: Workspace) -> None:
    (workspace.files / "adapter").mkdir()
    (workspace.handbook / "documents" / "it" / "vpn.md").write_text("edited by hand")
    workspace.make()
    assert not list(workspace.files.iterdir())
    assert "edited by hand" not in (workspace.handbook / "documents" / "it" / "vpn.md").read_text()


def test_the_first_changes_are_one_of_each_kind(workspace: Workspace) -> None:
    documents = workspace.handbook / "documents"
    before = {path: path.read_bytes() for path in documents.rglob("*") if path.is_file()}
    changes = {change["kind"]: change for change in workspace.change("first")}
    after = {path: path.read_bytes() for path in documents.rglob("*") if path.is_file()}
    renamed, target = documents / changes["rename"]["uri"], documents / changes["rename"]["to"]
    assert set(before) - set(after) == {renamed, documents / changes["delete"]["uri"]}
    assert set(after) - set(before) == {target, documents / changes["add"]["uri"]}
    assert after[target] == before[renamed]
    assert [path for path in before if path in after and before[path] != after[path]] == [
        documents / changes["edit"]["uri"]
    ]
    narrowed = {"path": changes["narrow"]["uri"], "groups": changes["narrow"]["groups"]}
    assert settings_of(workspace)["access"]["rules"][0] == narrowed


def test_an_edited_setting_leaves_the_others_and_a_valid_file(workspace: Workspace) -> None:
    before = settings_of(workspace)
    workspace.edit_settings(chunking={"chunk_size_tokens": 150})
    before["ingestion"]["chunking"]["chunk_size_tokens"] = 150
    assert settings_of(workspace) == before
    assert read_knowledge_base(workspace.knowledge_base).ingestion.chunking.chunk_size_tokens == 150


def test_a_document_is_put_back_as_it_was(workspace: Workspace) -> None:
    uri = workspace.change("second")[0]["uri"]
    workspace.put_back(uri)
    original = (HANDBOOK / "documents" / uri).read_bytes()
    assert (workspace.handbook / "documents" / uri).read_bytes() == original


def test_a_second_demo_in_the_same_folder_is_refused_while_the_first_runs(workspace: Workspace) -> None:
    with workspace.lock(), pytest.raises(DemoFailed, match="found one that is running"):
        workspace.lock()
    workspace.lock().close()
