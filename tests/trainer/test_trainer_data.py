"""Reading and batching of conversations: no torch needed."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.data import read_conversations, shuffled_batches
from trainer.failures import ExpectedFailure
from trainer.files import describe, move_in, read_manifest, verified_manifest

TRAINER = Path(__file__).parents[2] / "trainer_image" / "trainer"
GOOD = '{"id": "a", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}'


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_every_broken_line_is_named_in_one_error(tmp_path: Path) -> None:
    unfinished = GOOD[:-1]
    asks_only = '{"id": "b", "messages": [{"role": "user", "content": "q"}]}'
    says_nothing = GOOD.replace('"content": "a"', '"content": " "')
    path = write(tmp_path / "t.jsonl", GOOD, unfinished, "", asks_only, "[]", GOOD, says_nothing, '{"id": 3}')
    with pytest.raises(ExpectedFailure, match=r"5 of 7 lines broken: 2, 4, 5, 7, 8\. "):
        read_conversations(path, last_role="assistant")


def test_an_empty_file_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    from trainer.store import file_at

    with pytest.raises(ExpectedFailure, match="empty file"):
        read_conversations(write(tmp_path / "t.jsonl", ""), last_role="assistant")
    with pytest.raises(ExpectedFailure, match="found none"), file_at(str(tmp_path / "absent.jsonl")):
        pass


def test_an_epoch_holds_every_example_once_and_follows_from_its_seed() -> None:
    lengths = [(7 * number) % 50 for number in range(41)]
    batches = shuffled_batches(lengths, 4, seed=1, epoch=0)
    assert sorted(index for batch in batches for index in batch) == list(range(41))
    assert batches == shuffled_batches(lengths, 4, seed=1, epoch=0)
    assert batches != shuffled_batches(lengths, 4, seed=1, epoch=1)
    assert batches != shuffled_batches(lengths, 4, seed=2, epoch=0)


def test_a_batch_mixes_lengths_and_is_sorted_by_them_for_those_who_share_it() -> None:
    lengths = [1, 100] * 16
    drawn = [[lengths[index] for index in batch] for batch in shuffled_batches(lengths, 4, seed=3, epoch=0)]
    assert drawn == [sorted(batch) for batch in drawn]
    assert sum(len(set(batch)) == 2 for batch in drawn) > len(drawn) / 2


def test_an_adapter_without_a_manifest_is_no_adapter_and_a_changed_file_is_found(tmp_path: Path) -> None:
    scratch, target = tmp_path / "scratch", tmp_path / "target"
    scratch.mkdir()
    target.mkdir()
    (scratch / "weights").write_text("w")
    with pytest.raises(ExpectedFailure, match="did not end"):
        verified_manifest(target)
    (scratch / "curve").write_text("c")
    described = describe(scratch)
    parts = {name: {file: described[file]} for name, file in (("files", "weights"), ("records", "curve"))}
    move_in(scratch, target, parts)
    assert verified_manifest(target) == read_manifest(target)
    for name, text in (("weights", "w"), ("curve", "c")):
        (target / name).write_text("v")
        with pytest.raises(ExpectedFailure, match="found another one"):
            verified_manifest(target)
        (target / name).write_text(text)


@pytest.mark.parametrize("module", ["train_lora", "generate"])
def test_an_expected_failure_is_one_sentence_and_exit_code_2(tmp_path: Path, module: str) -> None:
    data = write(tmp_path / "t.jsonl", "{")
    given = {
        "train_lora": ("--train_jsonl", data, "--output_dir", tmp_path / "out"),
        "generate": ("--requests", data, "--output", tmp_path / "out.jsonl"),
    }[module]
    command = [sys.executable, "-m", f"trainer.{module}", "--base_model", "absent", *map(str, given)]
    environment = os.environ | {"PYTHONPATH": str(TRAINER.parent), "TERMINATION_LOG": str(tmp_path / "last-word")}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 2
    assert "lines broken: 1" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert (tmp_path / "last-word").read_text() == ended.stderr.strip()


def test_the_last_word_of_a_failure_fits_into_what_kubernetes_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.failures import exit_with

    def main() -> None:
        raise ExpectedFailure("x" + 3000 * "é")

    monkeypatch.setenv("TERMINATION_LOG", str(tmp_path / "last-word"))
    with pytest.raises(SystemExit):
        exit_with(main)
    assert (tmp_path / "last-word").read_bytes() == ("x" + 2047 * "é").encode()


def test_the_trainer_imports_only_what_its_image_holds() -> None:
    allowed = {"torch", "transformers", "peft", "safetensors", "jinja2", "fsspec", "trainer"} | sys.stdlib_module_names
    for path in TRAINER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path.name


def test_the_image_pins_what_the_tests_run_with() -> None:
    from importlib.metadata import version

    pins = (TRAINER.parent / "requirements.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in pins if "==" in line)
    assert {name: version(name).partition("+")[0] for name in pinned} == pinned


def test_requests_must_end_with_the_user(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", json.dumps({"id": "a", "messages": [{"role": "user", "content": "q"}]}))
    assert read_conversations(path, last_role="user").rows[0]["id"] == "a"
    with pytest.raises(ExpectedFailure, match="'assistant'"):
        read_conversations(path, last_role="assistant")
