"""Trains a LoRA adapter on the answers of a JSONL file of conversations.

    python -m trainer.train_lora --base_model DIR --train_jsonl FILE --output_dir DIR --epochs 2 --lr 2e-4

An adapter is there when `manifest.json` is: it is written last and holds the hash of every other file.
Exit code 0: trained, or found trained already. 2: something given is wrong. 3: the loss diverged.
"""

from __future__ import annotations

import argparse
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trainer import defaults
from trainer.data import read_conversations
from trainer.failures import ExpectedFailure, exit_with
from trainer.files import describe, move_in, read_manifest, sha256_of_file, sha256_of_text

_LIBRARIES = ("torch", "transformers", "peft", "safetensors")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line; what is not given comes from trainer.defaults."""
    parser = argparse.ArgumentParser(prog="python -m trainer.train_lora", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--base_model", required=True, help="folder of the base model, or a cached name")
    parser.add_argument("--train_jsonl", required=True, type=Path, help='lines {"id": ..., "messages": [...]}')
    parser.add_argument("--output_dir", required=True, type=Path, help="where the adapter appears")
    parser.add_argument("--epochs", type=_positive, default=defaults.EPOCHS)
    parser.add_argument("--max_steps", type=_positive, help="stops after so many steps")
    parser.add_argument("--lr", type=float, default=defaults.LEARNING_RATE, help="highest learning rate")
    parser.add_argument("--rank", type=_positive, default=defaults.RANK)
    parser.add_argument("--alpha", type=_positive, default=defaults.ALPHA)
    parser.add_argument("--batch_size", type=_positive, default=defaults.BATCH_SIZE)
    parser.add_argument("--seed", type=int, default=defaults.SEED)
    parser.add_argument("--max_length", type=_positive, default=defaults.MAX_LENGTH_TOKENS, help="in tokens")
    parser.add_argument("--checkpoint_steps", type=_positive, default=defaults.CHECKPOINT_STEPS)
    parser.add_argument("--resume", action="store_true", help="goes on from the newest whole checkpoint")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Checks what was given before the model is loaded, trains, and publishes the adapter."""
    options = arguments(argv)
    _refuse_more_than_one_process()
    conversations = read_conversations(options.train_jsonl, last_role="assistant")
    options.output_dir.mkdir(parents=True, exist_ok=True)
    train(options, conversations)


def train(options: argparse.Namespace, conversations: list[dict[str, Any]]) -> None:
    """One run from the base model to the published adapter."""
    import torch

    from trainer import base, loop
    from trainer.checkpoints import Keeper

    model, tokenizer = base.load(options.base_model)
    description = _describe_run(options, base.revision(options.base_model, model), tokenizer)
    run = sha256_of_text(json.dumps(description, sort_keys=True))
    if _trained_already(options.output_dir, run):
        return
    stops = base.stop_ids(model, tokenizer)
    rendered = [base.render(tokenizer, stops, row["messages"]) for row in conversations]
    examples = [example for example in rendered if len(example) <= options.max_length]
    _report_examples(len(examples), len(rendered), options.max_length)
    torch.manual_seed(options.seed)  # before the adapter is made: that is where its first weights are drawn
    adapted = _with_adapter(model, options, description["base_model"]["revision"])
    schedule = loop.Schedule(examples, options.epochs, options.max_steps, options.batch_size, options.seed, options.lr)
    keeper = Keeper(options.output_dir / "checkpoints", run, options.checkpoint_steps)
    progress = loop.train(adapted, _pad(tokenizer), schedule, keeper, options.resume)
    data = {"examples": len(examples), "too_long": len(rendered) - len(examples)}
    _publish(adapted, options.output_dir, {"run": run, **description, "metrics": _metrics(progress) | data})
    keeper.clear()


def _with_adapter(model: Any, options: argparse.Namespace, revision: str) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=defaults.DROPOUT,
        target_modules=defaults.TARGET_MODULES,
        task_type="CAUSAL_LM",
        revision=revision,
    )
    return get_peft_model(model, config)


def _describe_run(options: argparse.Namespace, revision: str, tokenizer: Any) -> dict[str, Any]:
    """Everything that the result depends on; its hash names the run, for checkpoints and for repeated starts."""
    from trainer import base

    names = ("epochs", "max_steps", "lr", "rank", "alpha", "batch_size", "max_length")
    return {
        "base_model": {"name": options.base_model, "revision": revision},
        "tokenizer": {
            "sha256": base.tokenizer_hash(tokenizer),
            "chat_template_sha256": sha256_of_text(str(tokenizer.chat_template)),
        },
        "data": {"sha256": sha256_of_file(options.train_jsonl)},
        "settings": {name: getattr(options, name) for name in names}
        | {"dropout": defaults.DROPOUT, "target_modules": defaults.TARGET_MODULES},
        "seed": options.seed,
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def _trained_already(output_dir: Path, run: str) -> bool:
    manifest = read_manifest(output_dir)
    if manifest is None:
        return False
    if manifest["run"] != run:
        raise ExpectedFailure(
            f"Expected {output_dir} to hold no adapter or that of this very run, found one of other data or "
            "settings. Give another --output_dir."
        )
    print(f"{output_dir} already holds the adapter of this run, nothing to do", flush=True)
    return True


def _report_examples(kept: int, read: int, max_length: int) -> None:
    if not kept:
        raise ExpectedFailure(
            f"Expected examples of at most {max_length} tokens, found that all {read} are longer. "
            "Raise --max_length or shorten the context in the examples."
        )
    print(f"{kept} of {read} examples have at most {max_length} tokens", flush=True)


def _publish(adapted: Any, output_dir: Path, manifest: dict[str, Any]) -> None:
    scratch = output_dir / f".saving-{os.getpid()}"
    config = adapted.peft_config["default"]
    # peft keeps these as a set and writes it in any order; sorted, equal adapters have equal hashes.
    config.target_modules = sorted(config.target_modules)
    adapted.save_pretrained(scratch, safe_serialization=True)
    (scratch / "README.md").unlink(missing_ok=True)  # peft's empty model card says nothing
    files = {"files": describe(scratch), "job_uid": os.environ.get("LIFTGATE_JOB_UID")}
    move_in(scratch, output_dir, manifest | files)
    print(f"adapter and manifest are in {output_dir}", flush=True)


def _metrics(progress: Any) -> dict[str, Any]:
    return {
        "steps": progress.step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 3),
        "tokens_per_second": round(progress.tokens / progress.seconds, 1),
        "loss": [round(loss, 6) for loss in progress.losses],
        "first_loss": progress.losses[0],
        "last_loss": progress.losses[-1],
    }


def _pad(tokenizer: Any) -> int:
    # Which token pads does not matter: padding is masked by position, so the end token is learnt even where
    # it is also the padding token.
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def _refuse_more_than_one_process() -> None:
    found = os.environ.get("WORLD_SIZE", "1")
    if found != "1":
        raise ExpectedFailure(f"Expected WORLD_SIZE 1, found {found}. Set nodes and processes of the job to 1.")


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


if __name__ == "__main__":
    exit_with(main)
