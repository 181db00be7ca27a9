"""Batch answers of the real model: the same as one by one, resumable, and only with an adapter that fits."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

QUESTIONS = [
    "Say yes.",
    "Name the capital of France in one word, then stop.",
    "Context: staff get sixteen weeks of paid parental leave. How many weeks of parental leave do staff get?",
]


def conversation(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


@pytest.fixture(scope="module")
def answerer(smollm2: str) -> Any:
    from trainer.generate import Answerer

    return Answerer(smollm2, batch_size=2)


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    rows = [{"id": f"q-{number}", "messages": conversation(text)} for number, text in enumerate(QUESTIONS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_answers_are_what_transformers_generates_one_by_one(answerer: Any) -> None:
    import torch

    together = answerer.answer([conversation(question) for question in QUESTIONS], max_new_tokens=8)
    for question, answer in zip(QUESTIONS, together, strict=True):
        inputs = answerer.tokenizer.apply_chat_template(
            conversation(question), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            whole = answerer.model.generate(**inputs, max_new_tokens=8, do_sample=False)[0]
        said = whole[inputs["input_ids"].shape[1] :]
        assert answer.text == answerer.tokenizer.decode(said, skip_special_tokens=True)
        stopped = said[-1].item() == answerer.tokenizer.eos_token_id
        assert answer.finish == ("stop" if stopped else "length")
        assert answer.tokens == len(said) - stopped


def test_an_adapter_changes_the_answers(answerer: Any, trained: Path, smollm2: str) -> None:
    from trainer.generate import Answerer

    asked = [conversation("When is the office open?")]
    adapted = Answerer(smollm2, trained).answer(asked, max_new_tokens=8)
    assert adapted != answerer.answer(asked, max_new_tokens=8)


def test_an_adapter_of_another_base_model_or_with_other_bytes_is_refused(
    trained: Path, smollm2: str, tmp_path: Path
) -> None:
    import shutil

    from trainer.failures import ExpectedFailure
    from trainer.generate import Answerer

    copied = tmp_path / "copied"
    shutil.copytree(trained, copied)
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["base_model"]["revision"] = "0" * 64
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ExpectedFailure, match="revision 000000000000"):
        Answerer(smollm2, copied)
    with (copied / "adapter_model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ExpectedFailure, match="found another one"):
        Answerer(smollm2, copied)


def test_another_whole_adapter_in_the_place_of_the_one_that_is_meant_is_refused(
    requests: Path, trained: Path, smollm2: str, tmp_path: Path
) -> None:
    from trainer.failures import ExpectedFailure
    from trainer.generate import main

    given = ["--base_model", smollm2, "--requests", str(requests), "--output", str(tmp_path / "answers.jsonl")]
    with pytest.raises(ExpectedFailure, match="Expected adapter f00d"):
        main([*given, "--adapter_dir", str(trained), "--adapter_digest", "f00d"])
    assert not (tmp_path / "answers.jsonl").exists()


def test_a_killed_run_asks_only_what_is_not_answered_yet(
    requests: Path, smollm2: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from trainer import generate
    from trainer.files import sha256_of_file

    given = ["--base_model", smollm2, "--requests", str(requests), "--output", str(tmp_path / "a.jsonl")]
    given += ["--max_new_tokens", "4"]
    depends_on = [generate.Answerer(smollm2).revision, None, sha256_of_file(requests), 4]
    partial = generate.partial_file(tmp_path / "a.jsonl", depends_on)
    kept = {"id": "q-1", "text": "kept", "tokens": 1, "finish": "stop"}
    partial.write_text(json.dumps(kept) + '\n{"id": "q-2", "te')
    generate.main(given)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["q-0", "q-1", "q-2"]
    assert rows[1] == kept
    assert all(row["tokens"] <= 4 for row in rows)
    assert "answer 2/2" in capsys.readouterr().out
    assert not partial.exists()


def test_requests_with_repeated_ids_are_refused(requests: Path, tmp_path: Path) -> None:
    from trainer.failures import ExpectedFailure
    from trainer.generate import main

    requests.write_text(requests.read_text() * 2)
    with pytest.raises(ExpectedFailure, match="q-0, q-1, q-2 more than once"):
        main(["--base_model", "x", "--requests", str(requests), "--output", str(tmp_path / "a")])


def test_a_prompt_longer_than_the_model_reads_is_an_error(answerer: Any) -> None:
    from trainer.failures import ExpectedFailure

    with pytest.raises(ExpectedFailure, match="Shorten its context"):
        answerer.answer([conversation("word " * 9000)], max_new_tokens=4)
