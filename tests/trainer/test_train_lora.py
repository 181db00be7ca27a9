"""Trainings of SmolLM2 for a few steps: what is learnt, what is saved, and what happens to a killed run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TRAINER_IMAGE = Path(__file__).parents[2] / "trainer_image"
STEPS = 3


Argv = Callable[..., list[str]]


def manifest(folder: Path) -> dict[str, Any]:
    from trainer.files import verified_manifest

    return verified_manifest(folder)


def test_the_manifest_describes_the_adapter_and_the_loss_falls(trained: Path, examples: Path) -> None:
    from trainer.files import sha256_of_file

    content = manifest(trained)
    present = {path.name for path in trained.iterdir()}
    adapter = {"adapter_config.json", "adapter_model.safetensors"}
    assert present == adapter | {"metrics.jsonl", "manifest.json"}
    assert (set(content["files"]), set(content["records"])) == (adapter, {"metrics.jsonl"})
    assert content["data"]["sha256"] == sha256_of_file(examples)
    assert content["job"] is None
    assert len(content["metrics"]["loss"]) == content["metrics"]["steps"] == STEPS
    assert content["metrics"]["last_loss"] < content["metrics"]["first_loss"]
    config = json.loads((trained / "adapter_config.json").read_text())
    assert config["revision"] == content["base_model"]["revision"]
    assert len(config["revision"]) == 64


def test_a_run_that_has_ended_is_found_and_another_one_is_refused(
    trained: Path, argv: Argv, capsys: pytest.CaptureFixture[str]
) -> None:
    from trainer.failures import ExpectedFailure
    from trainer.train_lora import main

    before = (trained / "manifest.json").stat().st_mtime_ns
    main(argv(trained))
    assert "nothing to do" in capsys.readouterr().out
    assert (trained / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(ExpectedFailure, match="other data or settings"):
        main(argv(trained, "--seed", "5"))


def test_a_killed_run_resumes_and_ends_the_same(
    trained: Path, argv: Argv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file

    from trainer.train_lora import main

    given = argv(tmp_path, "--checkpoint_steps", "1")
    environment = os.environ | {"PYTHONPATH": str(TRAINER_IMAGE)}
    command = [sys.executable, "-m", "trainer.train_lora", *given]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert first.stdout is not None
    assert any(line.startswith(f"step 2/{STEPS}") for line in first.stdout)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "manifest.json").exists()
    # A checkpoint that a kill broke off has no marker; it must not be taken for the newest one.
    (tmp_path / "checkpoints" / "step-000009").mkdir()
    main([*given, "--resume"])
    said = capsys.readouterr().out
    assert "step-000009 is incomplete" in said
    assert "goes on after step" in said
    assert f"step 1/{STEPS}" not in said
    assert manifest(tmp_path)["metrics"]["loss"] == pytest.approx(manifest(trained)["metrics"]["loss"], abs=1e-4)
    whole, resumed = (load_file(folder / "adapter_model.safetensors") for folder in (trained, tmp_path))
    assert whole.keys() == resumed.keys()
    assert all(weight.allclose(resumed[name], atol=1e-5) for name, weight in whole.items())
    assert not (tmp_path / "checkpoints").exists()


def test_a_loss_that_is_not_finite_ends_the_run_for_good_and_saves_nothing(argv: Argv, tmp_path: Path) -> None:
    from trainer.failures import Diverged, exit_with
    from trainer.train_lora import main

    with pytest.raises(SystemExit) as ended:
        exit_with(lambda: main(argv(tmp_path, "--lr", "1e30")))
    assert ended.value.code == Diverged.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_base_model_that_is_not_there_is_said_in_one_sentence(argv: Argv, tmp_path: Path) -> None:
    from trainer.failures import ExpectedFailure
    from trainer.train_lora import main

    with pytest.raises(ExpectedFailure, match="Expected a model with its tokenizer at absent/model") as raised:
        main(argv(tmp_path, "--base_model", "absent/model"))
    assert "\n" not in str(raised.value)


def test_examples_that_are_all_too_long_are_an_error(argv: Argv, tmp_path: Path) -> None:
    from trainer.failures import ExpectedFailure
    from trainer.train_lora import main

    with pytest.raises(ExpectedFailure, match="all 4 are longer"):
        main(argv(tmp_path, "--max_length", "10"))
