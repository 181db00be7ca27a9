"""What is special about gemma-2: no system role, a sliding window, eager attention, bf16."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SYSTEM = {"role": "system", "content": "You answer in one short sentence, and only from what the context says."}
ASKED = [
    [SYSTEM, {"role": "user", "content": "When is the office open? Context: from eight to six, all week long."}],
    [SYSTEM, {"role": "user", "content": "Who approves travel?"}],
    [{"role": "user", "content": "Say yes."}],
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    answer = {"role": "assistant", "content": "It is so."}
    rows = [{"id": f"e-{number}", "messages": [*asked, answer]} for number, asked in enumerate(ASKED)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def answerer(tiny_gemma2: str) -> Any:
    from trainer.generate import Answerer

    return Answerer(tiny_gemma2, batch_size=2)


def test_a_system_message_stands_before_the_question_in_training_and_in_answers(answerer: Any) -> None:
    from trainer import base

    messages = [*ASKED[0], {"role": "assistant", "content": "From eight to six."}]
    learnt = base.render(answerer.tokenizer, base.stop_ids(answerer.model, answerer.tokenizer), messages)
    assert learnt.prompt == answerer._prompt(ASKED[0], max_new_tokens=8)
    text = answerer.tokenizer.decode(learnt.prompt)
    assert f"user\n{SYSTEM['content']}\n\nWhen is the office open?" in text
    assert text.endswith("<|im_start|>model\n")
    assert answerer.tokenizer.decode(learnt.completion) == "From eight to six.<|im_end|>"


def test_a_conversation_that_the_template_refuses_is_an_expected_failure(answerer: Any) -> None:
    from trainer import base
    from trainer.failures import ExpectedFailure

    for roles in (("user", "user"), ("system", "assistant", "user"), ("system",)):
        messages = [{"role": role, "content": "x"} for role in roles]
        with pytest.raises(ExpectedFailure, match="chat template accepts"):
            base.prompt_text(answerer.tokenizer, messages)


def test_a_template_that_knows_the_system_role_keeps_it(smollm2: str) -> None:
    from transformers import AutoTokenizer

    from trainer import base

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    assert "<|im_start|>system\nYou answer in one short" in base.prompt_text(tokenizer, ASKED[0])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_losses_are_finite_and_the_adapter_answers(
    tiny_gemma2: str, data: Path, tmp_path: Path, precision: str
) -> None:
    import math

    from safetensors.torch import load_file

    from trainer.files import verified_manifest
    from trainer.generate import Answerer
    from trainer.train_lora import main

    given = ["--base_model", tiny_gemma2, "--train_jsonl", str(data), "--output_dir", str(tmp_path / "adapter")]
    main([*given, "--precision", precision, "--epochs", "30", "--lr", "1e-2"])
    manifest = verified_manifest(tmp_path / "adapter")
    assert manifest["settings"]["precision"] == precision
    losses = manifest["metrics"]["loss"]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.float32"}
    answers = Answerer(tiny_gemma2, tmp_path / "adapter").answer(ASKED, max_new_tokens=6)
    assert {answer.tokens > 0 for answer in answers} == {True}


@pytest.mark.parametrize("asked", [ASKED, ASKED[:2], ASKED[2:]], ids=["long and short", "long", "short"])
def test_answers_with_a_sliding_window_are_what_transformers_generates(answerer: Any, asked: list[Any]) -> None:
    import torch
    from tiny_gemma2 import WINDOW

    assert answerer.model.config.sliding_window == WINDOW
    together = answerer.answer(asked, max_new_tokens=12)
    for messages, answer in zip(asked, together, strict=True):
        prompt = torch.tensor([answerer._prompt(messages, max_new_tokens=12)])
        with torch.inference_mode():
            whole = answerer.model.generate(prompt, max_new_tokens=12, do_sample=False)[0]
        assert answer.text == answerer.tokenizer.decode(whole[prompt.shape[1] :], skip_special_tokens=True)


def test_attention_is_eager(answerer: Any) -> None:
    assert answerer.model.config._attn_implementation == "eager"
