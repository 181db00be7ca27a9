"""The `training:` block: what must be said, what keeps its default, what reaches the trainer."""

import pytest
from pydantic import ValidationError

from liftgate.config.training import TrainingBlock


@pytest.mark.parametrize("given", [{}, {"open_groups": []}, {"open_groups": None}])
def test_open_groups_have_no_default_and_the_error_says_why(given: dict) -> None:
    with pytest.raises(ValidationError, match="the groups whose documents a model may learn from"):
        TrainingBlock.model_validate({"base_model": "m", **given})


def test_the_seeds_resources_and_claims_are_the_defaults() -> None:
    block = TrainingBlock(base_model="google/gemma-2-2b-it", open_groups=["staff"])
    assert (block.resources.gpus, block.resources.cpus, block.resources.memory) == (1, 4, "16Gi")
    assert (block.claims.data, block.claims.artifacts) == ("llm-train-data-pvc", "llm-artifacts-pvc")
    assert block.namespace == "llm"


def test_only_what_is_set_reaches_the_trainer() -> None:
    assert TrainingBlock(base_model="m", open_groups=["staff"]).trainer_arguments() == []
    block = TrainingBlock(base_model="m", open_groups=["staff"], epochs=2, lr=2e-4)
    assert block.trainer_arguments() == ["--epochs", "2", "--lr", "0.0002"]


def test_every_argument_is_one_that_the_trainer_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "trainer_image"))
    from trainer.arguments import arguments

    given = {
        **{"epochs": 1, "max_steps": 2, "lr": 0.1, "rank": 4, "alpha": 8, "target_modules": ["q_proj", "v_proj"]},
        **{"batch_size": 2, "gradient_accumulation": 2, "precision": "bf16", "seed": 3, "max_length": 64},
        **{"max_broken_share": 0.1, "eval_share": 0.2, "eval_steps": 5, "patience": 2},
    }
    block = TrainingBlock.model_validate({"base_model": "m", "open_groups": ["staff"], **given})
    seeds = ["--base_model", "m", "--train_jsonl", "t", "--output_dir", "o"]
    options = vars(arguments([*seeds, *block.trainer_arguments()]))
    assert {name: options[name] for name in given} == given


def test_patience_without_anything_to_evaluate_on_is_refused() -> None:
    with pytest.raises(ValidationError, match="Expected eval_share with patience"):
        TrainingBlock(base_model="m", open_groups=["staff"], patience=2)
