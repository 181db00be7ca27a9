"""Trainings by two processes over loopback: the same result as by one, and none hangs when the other has died."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TRAINER_IMAGE = Path(__file__).parents[2] / "trainer_image"
Argv = Callable[..., list[str]]
Start = Callable[..., subprocess.Popen[str]]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process of a training. Whatever still runs at the end is killed."""
    with ExitStack() as started:

        def one(arguments: list[str], **environment: object) -> subprocess.Popen[str]:
            given = {name: str(value) for name, value in environment.items()}
            process = subprocess.Popen(
                [sys.executable, "-m", "trainer.train_lora", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": str(TRAINER_IMAGE), "OMP_NUM_THREADS": "1"} | given,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield one


@pytest.fixture
def start_two(start: Start) -> Callable[..., list[subprocess.Popen[str]]]:
    def both(arguments: list[str]) -> list[subprocess.Popen[str]]:
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": 2}
        return [start(arguments, RANK=rank, **meeting) for rank in range(2)]

    return both


def wait_for_line(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout is not None
    assert any(line.startswith(beginning) for line in process.stdout), process.stderr


def assert_same_adapters(one: Path, other: Path) -> None:
    from safetensors.torch import load_file

    from trainer.files import verified_manifest

    losses = [verified_manifest(folder)["metrics"]["loss"] for folder in (one, other)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    weights: list[dict[str, Any]] = [load_file(folder / "adapter_model.safetensors") for folder in (one, other)]
    assert weights[0].keys() == weights[1].keys()
    # Not weight by weight: Adam's first steps are as long as lr for any gradient, also for one that is mere rounding.
    assert all(float((weight - weights[1][name]).norm() / weight.norm()) < 0.02 for name, weight in weights[0].items())


def test_two_processes_learn_what_one_does_and_go_on_when_killed(
    trained: Path, argv: Argv, start_two: Callable[..., Any], tmp_path: Path
) -> None:
    given = argv(tmp_path, "--checkpoint_steps", "1")
    first = start_two(given)
    wait_for_line(first[0], "step 2/3")
    for process in first:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "manifest.json").exists()
    again = start_two([*given, "--resume"])
    said, complaints = zip(*(process.communicate(timeout=300) for process in again), strict=True)
    assert [process.returncode for process in again] == [0, 0], complaints
    assert "goes on after step" in said[0]
    assert "step 1/3" not in said[0]
    assert "step" not in said[1]
    assert_same_adapters(trained, tmp_path)


def test_a_process_whose_peer_was_killed_ends_and_asks_to_be_started_again(
    argv: Argv, start_two: Callable[..., Any], tmp_path: Path
) -> None:
    stays, dies = start_two(argv(tmp_path, "--max_steps", "1000", "--epochs", "1000"))
    wait_for_line(stays, "step 1/")
    dies.send_signal(signal.SIGKILL)
    _, complaint = stays.communicate(timeout=120)
    assert stays.returncode == 138
    assert "Expected every process of the job to take part" in complaint
    assert not (tmp_path / "manifest.json").exists()


def test_a_process_whose_peer_hangs_waits_no_longer_than_it_was_told(
    argv: Argv, start_two: Callable[..., Any], tmp_path: Path
) -> None:
    stays, hangs = start_two(argv(tmp_path, "--max_steps", "1000", "--epochs", "1000", "--peer_timeout", "20"))
    wait_for_line(stays, "step 1/")
    hangs.send_signal(signal.SIGSTOP)
    assert stays.wait(timeout=120) == 138


def test_a_process_that_finds_no_peer_says_so(argv: Argv, start: Start, tmp_path: Path) -> None:
    alone = {"RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    waits = start(argv(tmp_path, "--peer_timeout", "3"), **alone)
    _, complaint = waits.communicate(timeout=120)
    assert waits.returncode == 138, complaint
    assert len(complaint.splitlines()) == 1


def test_what_torchrun_would_set_is_asked_for(argv: Argv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.failures import ExpectedFailure
    from trainer.train_lora import main

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ExpectedFailure, match="found no MASTER_ADDR, MASTER_PORT"):
        main(argv(tmp_path))


def test_a_process_with_other_settings_is_refused(argv: Argv, start: Start, tmp_path: Path) -> None:
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": 2}
    master = start(argv(tmp_path), RANK=0, **meeting)
    worker = start(argv(tmp_path, "--lr", "1e-3"), RANK=1, **meeting)
    _, complaint = worker.communicate(timeout=120)
    assert worker.returncode == 2
    assert "rank 1 differs from rank 0" in complaint
    assert master.wait(timeout=120) == 138


def test_a_process_without_a_share_of_a_batch_takes_part(
    argv: Argv, start_two: Callable[..., Any], tmp_path: Path
) -> None:
    from trainer.train_lora import main

    given = ["--batch_size", "1", "--max_steps", "2"]
    both = start_two(argv(tmp_path / "two", *given))
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    main(argv(tmp_path / "one", *given))
    assert_same_adapters(tmp_path / "one", tmp_path / "two")
