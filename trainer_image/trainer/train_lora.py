"""Trains a LoRA adapter on the answers of a JSONL file of conversations.

    python -m trainer.train_lora --base_model DIR --train_jsonl FILE --output_dir DIR --epochs 2 --lr 2e-4

Files and folders may be URIs of an object store (see trainer.store).
As several processes it is started by torchrun or as a PyTorchJob (see trainer.world); the result is the same.
An adapter is there when `manifest.json` is: it is written last and holds the hash of every other file.
Exit code 0: trained, or found trained already. 2: something given is wrong. 3: the loss diverged.
138: another process of the job or the object store was lost, start again with --resume.
"""

from __future__ import annotations

import argparse
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer import defaults
from trainer.arguments import arguments
from trainer.data import Conversations, Example, is_held_out, read_conversations
from trainer.failures import ExpectedFailure, exit_with
from trainer.files import MANIFEST, describe, digest_of, move_in, read_manifest, sha256_of_text
from trainer.progress import METRICS, Progress
from trainer.store import Place, file_at, place

if TYPE_CHECKING:
    from trainer.world import World

_LIBRARIES = ("torch", "transformers", "peft", "safetensors")
_SETTINGS = ("epochs", "max_steps", "lr", "rank", "alpha", "target_modules", "batch_size", "max_length")
_EVALUATION = ("eval_share", "eval_steps", "patience")


def main(argv: list[str] | None = None) -> str | None:
    """Checks what was given before the model is loaded, trains, and publishes the adapter.

    Returns the last word of the process that published it.
    """
    options = arguments(argv, __doc__)
    with file_at(options.train_jsonl) as data, place(options.output_dir) as output:
        conversations = read_conversations(data, "assistant", options.max_broken_share)
        from trainer.world import joined

        with joined(options.peer_timeout) as world:
            if world.writes:
                output.folder.mkdir(parents=True, exist_ok=True)
                output.fetch()
            train(options, conversations, output, world)
            return _last_word(output.folder) if world.writes else None


def train(options: argparse.Namespace, conversations: Conversations, output: Place, world: World) -> None:
    """One run from the base model to the published adapter."""
    import torch

    from trainer import base, loop
    from trainer.checkpoints import Keeper
    from trainer.schedule import Schedule

    model, tokenizer = base.load(options.base_model, options.precision)
    description = _describe_run(options, conversations, base.revision(options.base_model, model), tokenizer)
    run = sha256_of_text(json.dumps(description, sort_keys=True))
    _refuse_another_run(world, run)
    if world.agreed(world.writes and _trained_already(output.folder, run, options.output_dir)):
        return
    learnt, held_out, data = _examples(options, conversations, model, tokenizer)
    torch.manual_seed(options.seed)  # before the adapter is made: that is where its first weights are drawn
    adapted = _with_adapter(model, options, description["base_model"]["revision"])
    keeper = Keeper(output, run, options.checkpoint_steps)
    schedule = Schedule(learnt, options.epochs, options.max_steps, options.batch_size, options.seed, options.lr)
    evaluation = loop.Evaluation(held_out, options.eval_steps, options.patience)
    training = loop.Loop(adapted, _pad(tokenizer), schedule, evaluation, keeper, world, options.gradient_accumulation)
    progress = training.run(options.resume)
    if world.writes:
        metrics = _metrics(progress, options.patience) | data | {"processes": world.size}
        _publish(adapted, output, progress, {"run": run, **description, "metrics": metrics})
        keeper.clear()
    world.agreed(None)  # nobody leaves before the adapter is there


def _examples(
    options: argparse.Namespace, conversations: Conversations, model: Any, tokenizer: Any
) -> tuple[list[Example], list[Example], dict[str, Any]]:
    """(learnt, held out, what the manifest says of them)"""
    from trainer import base

    stops = base.stop_ids(model, tokenizer)
    rendered = [(row["id"], base.render(tokenizer, stops, row["messages"])) for row in conversations.rows]
    kept = [(name, example) for name, example in rendered if len(example) <= options.max_length]
    _report_examples(len(kept), len(rendered), options.max_length)
    held_out = [example for name, example in kept if is_held_out(name, options.eval_share)]
    learnt = [example for name, example in kept if not is_held_out(name, options.eval_share)]
    if not learnt or (options.eval_share and not held_out):
        raise ExpectedFailure(
            f"Expected examples to learn from and to evaluate on with --eval_share {options.eval_share}, found "
            f"{len(learnt)} and {len(held_out)}. Give more examples, or another share."
        )
    return (
        learnt,
        held_out,
        {
            "examples": len(learnt),
            "held_out": len(held_out),
            "too_long": len(rendered) - len(kept),
            "broken_lines": conversations.broken,
        },
    )


def _with_adapter(model: Any, options: argparse.Namespace, revision: str) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=defaults.DROPOUT,
        target_modules=options.target_modules,
        task_type="CAUSAL_LM",
        revision=revision,
    )
    try:
        return get_peft_model(model, config)  # with its weights in fp32, whatever the base model has
    except ValueError as error:
        raise ExpectedFailure(
            f"Expected --target_modules to name layers of the base model, found that it does not ({error}). "
            f"Use {defaults.TARGET_MODULES}, or names such as q_proj,v_proj."
        ) from error


def _describe_run(
    options: argparse.Namespace, conversations: Conversations, revision: str, tokenizer: Any
) -> dict[str, Any]:
    """Everything that the result depends on; its hash names the run, for checkpoints and for repeated starts."""
    from trainer import base

    return {
        "base_model": {"name": options.base_model, "revision": revision},
        "tokenizer": {
            "sha256": base.tokenizer_hash(tokenizer),
            "chat_template_sha256": sha256_of_text(str(tokenizer.chat_template)),
        },
        "data": {"sha256": conversations.sha256},
        "settings": {name: getattr(options, name) for name in (*_SETTINGS, *_EVALUATION)}
        | {"dropout": defaults.DROPOUT, "precision": base.precise(options.precision)},
        "seed": options.seed,
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def _refuse_another_run(world: World, run: str) -> None:
    if world.agreed(run) != run:
        raise ExpectedFailure(
            "Expected every process of the job to have the same base model, data, settings and libraries, found that "
            f"rank {world.rank} differs from rank 0. Compare their arguments, volumes and images."
        )


def _trained_already(folder: Path, run: str, output_dir: str) -> bool:
    manifest = read_manifest(folder)
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


def _publish(adapted: Any, output: Place, progress: Progress, manifest: dict[str, Any]) -> None:
    scratch = output.folder / f".saving-{os.getpid()}"
    config = adapted.peft_config["default"]
    # peft keeps these as a set and writes it in any order; sorted, equal adapters have equal hashes.
    config.target_modules = sorted(config.target_modules)
    adapted.save_pretrained(scratch, safe_serialization=True)
    (scratch / "README.md").unlink(missing_ok=True)  # peft's empty model card says nothing
    files = describe(scratch)
    # Not one of the adapter's own files: its speeds differ from run to run, and equal adapters have equal hashes.
    (scratch / METRICS).write_text(progress.curve_lines(), encoding="utf-8")
    records = {name: described for name, described in describe(scratch).items() if name not in files}
    job = os.environ.get("LIFTGATE_JOB")  # namespace/name, set by whoever submits the job
    move_in(scratch, output.folder, manifest | {"files": files, "records": records, "job": job})
    output.send(*(output.folder / name for name in (*files, *records, MANIFEST)))
    print(f"adapter and manifest are in {output.address or output.folder}", flush=True)


def _last_word(folder: Path) -> str:
    """Example: adapter 6f1d0c5be2a94d37 loss 0.412"""
    manifest = read_manifest(folder) or {}
    return f"adapter {digest_of(manifest['files'])} loss {manifest['metrics']['last_loss']:.3f}"


def _metrics(progress: Progress, patience: int | None) -> dict[str, Any]:
    published = progress.best_step if patience else progress.step
    return {
        "steps": progress.step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 3),
        "tokens_per_second": round(progress.tokens / progress.seconds, 1),
        "loss": [round(loss, 6) for loss in progress.losses],
        "first_loss": progress.losses[0],
        "last_loss": progress.losses[-1],
        "published_step": published,
        "eval_loss": progress.eval_losses.get(published),
    }


def _pad(tokenizer: Any) -> int:
    # Which token pads does not matter: padding is masked by position, so the end token is learnt even where
    # it is also the padding token.
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


if __name__ == "__main__":
    exit_with(main)
