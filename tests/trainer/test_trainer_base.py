"""How a conversation becomes tokens and a loss, on the real tokenizer and model."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(smollm2: str) -> tuple[Any, Any]:
    from trainer import base

    return base.load(smollm2)


def rendered(loaded: tuple[Any, Any], examples: Path) -> list[Any]:
    from trainer import base

    model, tokenizer = loaded
    lines = [json.loads(line) for line in examples.read_text().splitlines()]
    return [base.render(tokenizer, base.stop_ids(model, tokenizer), line["messages"]) for line in lines]


def test_the_converted_model_writes_turns_as_smollm2_was_trained(loaded: tuple[Any, Any]) -> None:
    from trainer import base

    model, tokenizer = loaded
    text = base.prompt_text(tokenizer, [{"role": "user", "content": "Hi"}])
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert base.stop_ids(model, tokenizer) == {tokenizer.convert_tokens_to_ids("<|im_end|>")}
    assert tokenizer.tokenize("14  2024") == ["1", "4", "ĠĠ", "2", "0", "2", "4"]  # digits stand alone


def test_only_the_answer_is_learnt_and_its_end_token_is(loaded: tuple[Any, Any], examples: Path) -> None:
    tokenizer = loaded[1]
    example = rendered(loaded, examples)[1]
    assert tokenizer.decode(example.completion) == '{"summary": "From eight to six.", "risk": "low"}<|im_end|>'
    assert tokenizer.decode(example.prompt).endswith("When is the office open?<|im_end|>\n<|im_start|>assistant\n")
    # The tokenizer pads with that same end token, which is how it usually gets lost from the loss.
    assert example.completion[-1] == tokenizer.pad_token_id


def test_the_loss_of_a_padded_batch_is_that_of_its_examples_alone(loaded: tuple[Any, Any], examples: Path) -> None:
    import torch

    from trainer.loss import completion_loss

    model, tokenizer = loaded
    batch = rendered(loaded, examples)
    assert len({len(example) for example in batch}) > 1
    total, count = 0.0, 0
    with torch.no_grad():
        for example in batch:
            ids = torch.tensor([example.prompt + example.completion])
            logits = model(input_ids=ids).logits[0, len(example.prompt) - 1 : -1]
            target = torch.tensor(example.completion)
            total += torch.nn.functional.cross_entropy(logits, target, reduction="sum").item()
            count += len(target)
        together = completion_loss(model, tokenizer.pad_token_id, batch, tokens=count).item()
    assert together == pytest.approx(total / count, rel=1e-4)


def test_gradients_of_examples_side_by_side_are_those_of_the_batch(loaded: tuple[Any, Any], examples: Path) -> None:
    import torch

    from trainer.loss import completion_loss, set_gradients

    model, tokenizer = loaded
    batch, weight = rendered(loaded, examples)[:3], model.model.layers[0].self_attn.q_proj.weight
    together = completion_loss(model, tokenizer.pad_token_id, batch, tokens=50)
    (expected,) = torch.autograd.grad(together, [weight])
    assert set_gradients(model, tokenizer.pad_token_id, batch, 50, [weight]) == pytest.approx(together.item(), rel=1e-4)
    torch.testing.assert_close(weight.grad, expected, rtol=1e-3, atol=1e-5)
    weight.grad = None


@pytest.mark.parametrize("pieces", [2, 3, 9])
def test_gradients_do_not_depend_on_the_pieces_of_a_batch(loaded: tuple[Any, Any], examples: Path, pieces: int) -> None:
    import torch

    from trainer.loss import set_gradients

    model, tokenizer = loaded
    batch, weight = rendered(loaded, examples), model.model.layers[0].self_attn.q_proj.weight
    whole = set_gradients(model, tokenizer.pad_token_id, batch, 50, [weight])
    expected = weight.grad
    cut = set_gradients(model, tokenizer.pad_token_id, batch, 50, [weight], pieces)
    assert cut == pytest.approx(whole, rel=1e-5)
    torch.testing.assert_close(weight.grad, expected, rtol=1e-3, atol=1e-5)
    assert set_gradients(model, tokenizer.pad_token_id, [], 50, [weight], pieces) == 0
    assert not weight.grad.any()
    weight.grad = None


def test_every_token_weighs_the_same_whatever_batch_it_is_in() -> None:
    from trainer.data import Example
    from trainer.schedule import Schedule

    long, short = Example((1,), (2,) * 50), Example((1,), (2,) * 10)
    assert Schedule([long, short], 1, None, 1, 0, 1.0).completion_tokens == 30
    assert Schedule([long, short], 1, None, 2, 0, 1.0).completion_tokens == 60


def test_the_learning_rate_rises_and_falls_to_almost_nothing() -> None:
    from trainer.data import Example
    from trainer.schedule import Schedule

    schedule = Schedule([Example((1,), (2,))] * 20, 1, None, 1, 0, 1.0)
    rates = [schedule.rate(step) for step in range(1, 21)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(1 / 18)


def test_a_schedule_of_fewer_steps_than_its_epochs_stops_there() -> None:
    from trainer.data import Example
    from trainer.schedule import Schedule

    examples = [Example((1,), (2,))] * 5
    assert Schedule(examples, 2, None, 2, 0, 1.0).steps == 6
    assert Schedule(examples, 2, 4, 2, 0, 1.0).steps == 4
