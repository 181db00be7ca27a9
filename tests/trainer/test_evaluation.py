"""Held-out examples, early stopping and the other settings of a run, on a model that trains in a second."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Train = Callable[..., dict[str, Any]]
COUNT = 24
SHARE = 0.25


def conversation(name: str, answer: str) -> dict[str, Any]:
    asked = {"role": "user", "content": f"Question {name}"}
    return {"id": name, "messages": [asked, {"role": "assistant", "content": answer}]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Held-out examples have other answers than those that are learnt: the more is learnt, the worse they get."""
    from trainer.data import is_held_out

    path, names = tmp_path / "train.jsonl", [f"e-{number}" for number in range(COUNT)]
    said = {False: "yes yes yes", True: "never tomorrow"}
    rows = [conversation(name, said[is_held_out(name, SHARE)]) for name in names]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def given(tiny_gemma2: str, data: Path, tmp_path: Path) -> Callable[..., list[str]]:
    def arguments(*more: str, name: str = "adapter") -> list[str]:
        paths = ["--base_model", tiny_gemma2, "--train_jsonl", str(data), "--output_dir", str(tmp_path / name)]
        return [*paths, "--lr", "3e-2", *more]

    return arguments


@pytest.fixture
def train(given: Callable[..., list[str]], tmp_path: Path) -> Train:
    def run(*more: str, name: str = "adapter") -> dict[str, Any]:
        from trainer.files import verified_manifest
        from trainer.train_lora import main

        main(given(*more, name=name))
        return verified_manifest(tmp_path / name)

    return run


def loss_of(adapter: Path, tiny_gemma2: str, data: Path) -> float:
    from peft import PeftModel

    from trainer import base
    from trainer.data import is_held_out
    from trainer.loss import mean_loss
    from trainer.world import World

    model, tokenizer = base.load(tiny_gemma2)
    rows = [row for row in map(json.loads, data.read_text().splitlines()) if is_held_out(row["id"], SHARE)]
    held_out = [base.render(tokenizer, base.stop_ids(model, tokenizer), row["messages"]) for row in rows]
    return mean_loss(PeftModel.from_pretrained(model, str(adapter)).eval(), 0, held_out, 4, World())


def test_the_side_of_an_example_follows_from_its_id_alone() -> None:
    from trainer.data import is_held_out

    names = [f"example-{number}" for number in range(2000)]
    quarter, half = ({name for name in names if is_held_out(name, share)} for share in (0.25, 0.5))
    assert 400 < len(quarter) < 600
    assert quarter < half
    assert not any(is_held_out(name, 0.0) for name in names)


def test_held_out_examples_are_evaluated_and_never_learnt(
    train: Train, tmp_path: Path, tiny_gemma2: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = train("--eval_share", str(SHARE), "--eval_steps", "2", "--max_steps", "5")["metrics"]
    assert metrics["examples"] + metrics["held_out"] == COUNT
    assert 0 < metrics["held_out"] < COUNT / 2
    said = [line for line in capsys.readouterr().out.splitlines() if "eval_loss" in line]
    assert [line.split(" eval_loss ")[0] for line in said] == ["step 2/5", "step 4/5", "step 5/5"]
    assert metrics["published_step"] == 5
    assert metrics["eval_loss"] == pytest.approx(loss_of(tmp_path / "adapter", tiny_gemma2, data), rel=1e-5)
    assert metrics["eval_loss"] > metrics["last_loss"]


def test_a_run_out_of_patience_ends_with_its_best_weights(
    train: Train, tmp_path: Path, tiny_gemma2: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = train("--eval_share", str(SHARE), "--eval_steps", "1", "--epochs", "50", "--patience", "2")["metrics"]
    assert metrics["steps"] == metrics["published_step"] + 2 < 20
    said = capsys.readouterr().out
    assert f"stops after step {metrics['steps']}: the best evaluation was 2 evaluations ago" in said
    losses = [float(line.split()[-1]) for line in said.splitlines() if "eval_loss" in line]
    assert metrics["eval_loss"] == pytest.approx(min(losses), abs=1e-3)
    assert metrics["eval_loss"] == pytest.approx(loss_of(tmp_path / "adapter", tiny_gemma2, data), rel=1e-5)


def test_a_run_broken_off_after_its_best_evaluation_still_ends_with_it(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    from trainer.loop import Loop

    given = ("--eval_share", str(SHARE), "--eval_steps", "1", "--epochs", "50", "--patience", "3")
    given = (*given, "--checkpoint_steps", "1", "--resume")
    whole = train(*given, name="whole")["metrics"]
    learn, fatal = Loop._learn, whole["published_step"] + 2

    def broken_off(loop: Loop, state: Any, batch: Any) -> None:
        if state.progress.step + 1 == fatal:
            raise KeyboardInterrupt
        learn(loop, state, batch)

    monkeypatch.setattr(Loop, "_learn", broken_off)
    with pytest.raises(KeyboardInterrupt):
        train(*given, name="resumed")
    monkeypatch.setattr(Loop, "_learn", learn)
    resumed = train(*given, name="resumed")["metrics"]
    assert (resumed["published_step"], resumed["steps"]) == (whole["published_step"], whole["steps"])
    assert resumed["loss"] == pytest.approx(whole["loss"], abs=1e-5)
    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "resumed"))
    assert all(weight.allclose(other[name], atol=1e-6) for name, weight in one.items())


def test_the_loss_curve_and_the_last_word_say_what_was_published(
    given: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liftgate.fingerprints import fingerprint
    from trainer.failures import exit_with
    from trainer.files import verified_manifest
    from trainer.train_lora import main

    monkeypatch.setenv("LIFTGATE_JOB", "llm/adapter-1-a0")
    monkeypatch.setenv("TERMINATION_LOG", str(tmp_path / "last-word"))
    exit_with(lambda: main(given("--eval_share", str(SHARE), "--eval_steps", "2", "--max_steps", "2")))
    manifest = verified_manifest(tmp_path / "adapter")
    assert manifest["job"] == "llm/adapter-1-a0"
    rows = [json.loads(line) for line in (tmp_path / "adapter" / "metrics.jsonl").read_text().splitlines()]
    assert [set(row) for row in rows] == [{"step", "loss", "lr", "tokens_per_second"}] * 2 + [{"step", "eval_loss"}]
    assert [row["step"] for row in rows] == [1, 2, 2]
    assert [row["loss"] for row in rows[:2]] == pytest.approx(manifest["metrics"]["loss"], abs=1e-6)
    assert rows[2]["eval_loss"] == manifest["metrics"]["eval_loss"]
    digest, loss = fingerprint(manifest["files"]), manifest["metrics"]["last_loss"]
    assert (tmp_path / "last-word").read_text() == f"adapter {digest} loss {loss:.3f}"


def test_equal_trainings_have_equal_hashes(train: Train) -> None:
    one, other = (train("--max_steps", "2", name=name) for name in ("one", "other"))
    assert one["files"] == other["files"]
    assert one["records"] != other["records"]


def test_patience_and_a_share_that_leaves_nothing_are_refused(train: Train) -> None:
    from trainer.failures import ExpectedFailure

    with pytest.raises(ExpectedFailure, match="Expected --eval_share with --patience"):
        train("--patience", "2")
    with pytest.raises(ExpectedFailure, match=f"found {COUNT} and 0"):
        train("--eval_share", "0.001")


def test_broken_lines_up_to_the_share_are_left_out_and_named(
    train: Train, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from trainer.failures import ExpectedFailure

    lines = data.read_text().splitlines()
    data.write_text("\n".join([lines[0], "{broken", *lines[1:], "[]"]) + "\n")
    with pytest.raises(ExpectedFailure, match=rf"found 2 of {COUNT + 2} lines broken: 2, {COUNT + 2}\. Mend"):
        train("--max_steps", "1", "--max_broken_share", "0.05")
    metrics = train("--max_steps", "1", "--max_broken_share", "0.1")["metrics"]
    assert metrics["broken_lines"] == [2, COUNT + 2]
    assert metrics["examples"] == COUNT
    assert f"found 2 of {COUNT + 2} lines broken: 2, {COUNT + 2}. They are left out" in capsys.readouterr().err


def test_only_the_layers_that_are_named_get_an_adapter(train: Train, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from trainer.failures import ExpectedFailure

    manifest = train("--max_steps", "1", "--target_modules", "v_proj, q_proj")
    assert manifest["settings"]["target_modules"] == ["q_proj", "v_proj"]
    names = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in names} == {"q_proj", "v_proj"}
    with pytest.raises(ExpectedFailure, match="Expected --target_modules to name layers"):
        train("--max_steps", "1", "--target_modules", "absent", name="other")


def test_pieces_and_processes_name_no_other_run_but_settings_do(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    from trainer.failures import ExpectedFailure

    train("--max_steps", "1")
    train("--max_steps", "1", "--gradient_accumulation", "2", "--checkpoint_steps", "3")
    assert "nothing to do" in capsys.readouterr().out
    for changed in (("--precision", "bf16"), ("--target_modules", "q_proj"), ("--eval_share", "0.5")):
        with pytest.raises(ExpectedFailure, match="other data or settings"):
            train("--max_steps", "1", *changed)
