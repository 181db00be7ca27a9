"""The trainer as its image has it: trainer_image on the path, no network, the converted SmolLM2 as base model."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from liftgate.local.models import convert_smollm2

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "trainer_image"))


@pytest.fixture(scope="session")
def smollm2() -> str:
    return str(convert_smollm2(ROOT / ".models"))


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four short conversations, whose answers are JSON."""
    asked = {
        "How many weeks of parental leave? Context: staff get sixteen weeks of paid leave.": "Sixteen weeks.",
        "When is the office open?": "From eight to six.",
        "Who approves travel? Context: the manager approves travel.": "The manager does.",
        "Is the form needed?": "Yes, always.",
    }
    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number, (question, answer) in enumerate(asked.items()):
            said = json.dumps({"summary": answer, "risk": "low"})
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": said}]
            file.write(json.dumps({"id": f"e-{number}", "messages": messages}) + "\n")
    return path


@pytest.fixture(scope="session")
def trained(smollm2: str, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter after three steps, for all tests that need one: training is what costs time here."""
    from trainer.train_lora import main

    output = tmp_path_factory.mktemp("trained")
    main(training_arguments(smollm2, examples, output))
    return output


def training_arguments(smollm2: str, examples: Path, output: Path) -> list[str]:
    given = ["--base_model", smollm2, "--train_jsonl", str(examples), "--output_dir", str(output)]
    return [*given, "--epochs", "2", "--batch_size", "2", "--max_steps", "3", "--lr", "2e-3"]


@pytest.fixture(scope="session")
def argv(smollm2: str, examples: Path) -> Callable[..., list[str]]:
    """The arguments of the same training into another folder, with more of them at the end."""
    return lambda output, *more: [*training_arguments(smollm2, examples, output), *more]


@pytest.fixture(scope="session")
def tiny_gemma2(smollm2: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    from tiny_gemma2 import save_tiny_gemma2

    return str(save_tiny_gemma2(tmp_path_factory.mktemp("gemma2"), smollm2))
