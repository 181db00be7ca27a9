"""Data and adapters in an object store: a real S3 server on loopback, real processes, killed and started elsewhere."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from object_store import BUCKET, s3_server

pytestmark = pytest.mark.slow

TRAINER_IMAGE = Path(__file__).parents[2] / "trainer_image"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket."""
    with s3_server(monkeypatch) as (files, _):
        yield files


@pytest.fixture
def given(tiny_gemma2: str, examples: Path, s3: Any) -> Callable[..., list[str]]:
    s3.put_file(str(examples), f"{BUCKET}/data/train.jsonl")

    def arguments(output: object, *more: str) -> list[str]:
        paths = ["--base_model", tiny_gemma2, "--train_jsonl", f"s3://{BUCKET}/data/train.jsonl"]
        return [*paths, "--output_dir", str(output), "--lr", "1e-2", "--checkpoint_steps", "1", *more]

    return arguments


def test_an_adapter_arrives_in_the_store_with_its_manifest_last(
    given: Callable[..., list[str]], s3: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from trainer.files import verified_manifest
    from trainer.store import folder_at
    from trainer.train_lora import main

    with caplog.at_level(logging.INFO, logger="werkzeug"):
        main(given(f"s3://{BUCKET}/adapters/one"))
    written = [line.split()[1] for line in map(sent, caplog.messages) if line.startswith("PUT")]
    checkpoints = [path for path in written if "/checkpoints/" in path]
    assert [path.rpartition("/")[2] for path in checkpoints] == ["state.safetensors", "complete.json"]
    names = [path.rpartition("/")[2] for path in written if path not in checkpoints]
    assert names == ["adapter_config.json", "adapter_model.safetensors", "metrics.jsonl", "manifest.json"]
    assert {path.rpartition("/")[2] for path in s3.find(f"{BUCKET}/adapters/one")} == set(names)
    with folder_at(f"s3://{BUCKET}/adapters/one") as folder:
        stored = verified_manifest(folder)
    assert not folder.exists()
    main(given(tmp_path))
    assert verified_manifest(tmp_path)["files"] == stored["files"]


def sent(message: str) -> str:
    """Example: '127.0.0.1 - - [...] "PUT /llm/key HTTP/1.1" 200 -' -> PUT /llm/key HTTP/1.1"""
    return message.split('"')[1].removeprefix("\x1b[33m")


def test_a_killed_run_goes_on_on_another_machine(
    given: Callable[..., list[str]], s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file

    from trainer.store import folder_at
    from trainer.train_lora import main

    arguments = given(f"s3://{BUCKET}/adapters/killed", "--epochs", "4")
    environment = os.environ | {"PYTHONPATH": str(TRAINER_IMAGE)}
    first = subprocess.Popen(
        [sys.executable, "-m", "trainer.train_lora", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert first.stdout is not None
    assert any(line.startswith("step 3/4") for line in first.stdout)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not s3.exists(f"{BUCKET}/adapters/killed/manifest.json")
    main([*arguments, "--resume"])
    assert "goes on after step" in capsys.readouterr().out
    main(given(tmp_path, "--epochs", "4"))
    with folder_at(f"s3://{BUCKET}/adapters/killed") as folder:
        assert not (folder / "checkpoints").exists()
        one, other = (load_file(path / "adapter_model.safetensors") for path in (folder, tmp_path))
    assert all(weight.allclose(other[name], atol=1e-6) for name, weight in one.items())


def test_a_run_that_has_ended_is_found_in_the_store(
    given: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    from trainer.train_lora import main

    arguments = given(f"s3://{BUCKET}/adapters/one", "--max_steps", "1")
    assert main(arguments) == main(arguments)
    assert "nothing to do" in capsys.readouterr().out


def test_requests_adapter_and_answers_may_all_be_in_the_store(
    given: Callable[..., list[str]], s3: Any, tiny_gemma2: str
) -> None:
    from trainer import generate
    from trainer.files import sha256_of_text, verified_manifest
    from trainer.store import folder_at
    from trainer.train_lora import main

    adapter = f"s3://{BUCKET}/adapters/one"
    main(given(adapter, "--max_steps", "1"))
    rows = [{"id": f"q-{n}", "messages": [{"role": "user", "content": f"Question {n}"}]} for n in range(3)]
    asked = "".join(json.dumps(row) + "\n" for row in rows)
    s3.pipe_file(f"{BUCKET}/asked.jsonl", asked.encode())
    # What another machine had answered before it was lost.
    with folder_at(adapter) as folder:
        manifest = verified_manifest(folder)
    depends_on = [manifest["base_model"]["revision"], manifest, sha256_of_text(asked), 4]
    kept = {"id": "q-1", "text": "kept", "tokens": 1, "finish": "stop"}
    partial = generate.partial_file(Path("answers/answers.jsonl"), depends_on)
    s3.pipe_file(f"{BUCKET}/{partial}", (json.dumps(kept) + "\n").encode())
    output = f"s3://{BUCKET}/answers/answers.jsonl"
    paths = ["--base_model", tiny_gemma2, "--requests", f"s3://{BUCKET}/asked.jsonl", "--output", output]
    generate.main([*paths, "--adapter_dir", adapter, "--max_new_tokens", "4"])
    answers = [json.loads(line) for line in s3.cat_file(f"{BUCKET}/answers/answers.jsonl").splitlines()]
    assert [answer["id"] for answer in answers] == ["q-0", "q-1", "q-2"]
    assert answers[1] == kept
    assert s3.find(f"{BUCKET}/answers") == [f"{BUCKET}/answers/answers.jsonl"]


def test_what_is_not_there_and_a_store_that_does_not_answer_are_told_apart(
    given: Callable[..., list[str]], s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.failures import ExpectedFailure, StoreFailed
    from trainer.store import file_at, folder_at

    with pytest.raises(ExpectedFailure, match="Expected a file at s3://llm/absent.jsonl, found none"):
        file_at(f"s3://{BUCKET}/absent.jsonl").__enter__()
    with pytest.raises(ExpectedFailure, match="bucket does not exist") as raised:
        folder_at("s3://absent/adapters").__enter__()
    assert raised.value.exit_code == 2
    with pytest.raises(ExpectedFailure, match="Protocol not known: absent") as raised:
        folder_at("absent://adapters").__enter__()
    assert raised.value.exit_code == 2
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    type(s3).clear_instance_cache()
    with pytest.raises(StoreFailed, match="Could not connect") as raised:
        folder_at(f"s3://{BUCKET}/adapters").__enter__()
    assert raised.value.exit_code >= 128


def test_a_path_is_used_as_it_stands(tmp_path: Path) -> None:
    from trainer.store import Place, beside, place

    with place(str(tmp_path)) as where, beside(str(tmp_path / "a.jsonl")) as (folder, path):
        assert where == folder == Place(tmp_path)
        assert path == tmp_path / "a.jsonl"
        for act in (where.send, where.remove, where.fetch_file):
            act(tmp_path / "absent")
        where.fetch()
