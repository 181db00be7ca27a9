"""Names of models become folders of this machine, or an error that says what to run."""

import json
from pathlib import Path

import pytest

from liftgate.errors import ConfigurationError
from liftgate.local.models import MINILM, SMOLLM2, convert_smollm2, model_folder


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert model_folder(str(tmp_path)) == tmp_path


def test_the_embedder_lies_in_its_wheel() -> None:
    folder = model_folder(MINILM)
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 384


def test_a_converted_model_is_found_and_not_converted_again(tmp_path: Path) -> None:
    folder = tmp_path / "SmolLM2-135M-Instruct"
    folder.mkdir()
    assert convert_smollm2(tmp_path) == model_folder(SMOLLM2, tmp_path) == folder
    assert list(folder.iterdir()) == []


def test_a_model_that_is_not_converted_yet_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="python -m liftgate.local.models"):
        model_folder(SMOLLM2, tmp_path)


@pytest.mark.parametrize("name", ["", "some/other-model", "/absent/folder"])
def test_any_other_name_must_be_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Give the path of a folder"):
        model_folder(name, tmp_path)
