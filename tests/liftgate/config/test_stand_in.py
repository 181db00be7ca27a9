"""What is left of a file with mistakes, for runs that began before they were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from liftgate.config.adapter import Adapter
from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.config.stand_in import knowledge_base_for_wiring, stand_in
from liftgate.errors import ConfigurationError

RIGHT = """
schedule: "0 5 * * *"
models_pool: models
watch: {}
approval: {of: [retrieval]}
ingestion: {source: {type: folder, path: documents}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "wiki.yaml"


@pytest.mark.parametrize(
    "wrong",
    ["brakes: {max_removed_shares: 1}", "shedule: often", "brakes: {", "access: 7", "\t- {"],
    ids=["a setting of a block", "a setting", "no YAML", "a block", "no YAML at all"],
)
def test_all_that_is_right_stays(file: Path, wrong: str) -> None:
    file.write_text(f"{wrong}\n{RIGHT}")
    found = stand_in(KnowledgeBase, file, "wiki")
    assert (found.name, found.schedule, found.models_pool) == ("wiki", "0 5 * * *", "models")
    assert found.approval
    assert found.ingestion.sources[0].path == str(file.parent / "documents")


def test_of_a_block_only_the_wrong_setting_is_left_out(file: Path) -> None:
    training = "{backend: pytorchjob, base_model: small, epochs: many, open_groups: [staff]}"
    file.write_text(f"training: {training}\nknowledge_base: .\n")
    assert stand_in(Adapter, file, "wiki").training.backend == "pytorchjob"


def test_nothing_is_watched_by_a_file_with_mistakes(file: Path) -> None:
    file.write_text(RIGHT)
    assert stand_in(KnowledgeBase, file, "wiki").watch is None


def test_file_that_is_gone_or_whose_name_is_none_has_no_stand_in_but_its_name(file: Path) -> None:
    assert stand_in(KnowledgeBase, file, "wiki").name == "wiki"
    assert knowledge_base_for_wiring(str(file)).name == "wiki"
    with pytest.raises(ConfigurationError, match="next to none"):
        stand_in(KnowledgeBase, file, "No Name")
