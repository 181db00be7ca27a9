"""The trainer against TRL's SFTTrainer on the same examples, model, LoRA, learning rate, batch size, steps and seeds.

    python benchmarks/training.py [BATCHES] [SEEDS]        20 batches of 4 examples and 3 seeds by default

The conversations are made from the handbook's tuning examples, each with three passages of its documents as context:
the prompt is that of the tuning set which the demo builds, and the lengths are near (prompts of 390 tokens, there 340;
answers of 50, as there). Both learn the answers alone. Each run is a process of its own, one after the other. tokens/s:
tokens of prompts and answers, padding not counted, over the time from the first step to the end of the last one. TRL
runs with its defaults, and once more as a CPU likes it: fp32, nothing recomputed.

What compares the results is the held-out loss, which the same code takes of every adapter: its mean over the seeds, and
their least and greatest. The trainers put other examples into a batch, and a seed moves it by a few hundredths.

TRL is needed for this alone: uv pip install -c constraints.txt -e '.[benchmarks]'
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from liftgate.local.models import convert_smollm2
from liftgate.prompts import Prompt, read_prompt

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "examples" / "handbook"
BATCHES, BATCH_SIZE, LEARNING_RATE, RANK, ALPHA = 20, 4, 1e-3, 8, 16
FIRST_SEED, SEEDS = 17, 3
HELD_OUT = 28
COLUMNS = ("trainer", "tokens/s", "ours is faster by", "seconds", "held-out loss", "peak memory GB")
SIDES = {
    "this trainer": {},
    "TRL, its defaults": {},
    "TRL, fp32, no recomputation": {"bf16": False, "gradient_checkpointing": False},
}


def main(batches: int = BATCHES, seeds: int = SEEDS) -> None:
    """Train with each, measure each adapter, and print the table."""
    if find_spec("trl") is None:
        sys.exit(f"Expected trl to be installed, found that it is not. {(__doc__ or '').strip().splitlines()[-1]}")
    conversations = list(_conversations())
    model = str(convert_smollm2(ROOT / ".models"))
    with tempfile.TemporaryDirectory(prefix="liftgate-benchmark-") as folder:
        learnt, held_out = Path(folder, "learnt.jsonl"), conversations[-HELD_OUT:]
        lines = [json.dumps(one) + "\n" for one in conversations[: batches * BATCH_SIZE]]
        learnt.write_text("".join(lines), encoding="utf-8")
        measured: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            for name, runs in measured.items():
                output = Path(folder, f"{name.replace(' ', '-')}-{seed}")
                figures = _in_a_process(name, model, learnt, output, seed)
                runs.append(figures | {"held_out": _held_out_loss(model, held_out, output)})
        unlearnt = _held_out_loss(model, held_out, None)
    Console(width=130).print(_table(measured, len(lines), len(held_out), unlearnt))


def _table(measured: dict[str, list[dict[str, Any]]], learnt: int, held_out: int, unlearnt: float) -> Table:
    title = (
        f"{learnt} examples in batches of {BATCH_SIZE}, SmolLM2-135M, LoRA of rank {RANK} on all linear layers, "
        f"{os.cpu_count()} cores; {held_out} held-out examples, loss before training {unlearnt:.3f}"
    )
    table = Table(*COLUMNS, title=title)
    tokens = measured["this trainer"][0]["tokens"]
    ours = _speed(tokens, measured["this trainer"])
    for name, runs in measured.items():
        speed, losses = _speed(tokens, runs), [one["held_out"] for one in runs]
        seconds = " ".join(f"{one['seconds']:.0f}" for one in runs)
        loss = f"{fmean(losses):.3f} ({min(losses):.3f} to {max(losses):.3f})"
        peak = max(one["peak_gb"] for one in runs)
        table.add_row(name, f"{speed:.0f}", f"{ours / speed:.2f} times", seconds, loss, f"{peak:.2f}")
    return table


def _speed(tokens: int, runs: list[dict[str, Any]]) -> float:
    return tokens * len(runs) / sum(one["seconds"] for one in runs)


def _conversations() -> Iterator[dict[str, Any]]:
    """The handbook's examples as the demo's tuning set has them, in a fixed order that mixes subjects."""
    prompt, passages = read_prompt(HANDBOOK / "prompts" / "answer.md"), list(_passages())
    lines = (HANDBOOK / "tuning_examples.jsonl").read_text(encoding="utf-8").splitlines()
    near = 0
    made = []
    for example in map(json.loads, lines):
        found = [place for place, passage in enumerate(passages) if example.get("quote", "\0") in passage]
        if example["expected"] == "answer" and not found:
            continue  # its document is no markdown
        near = found[0] if found else near
        made.append(_conversation(example, prompt, [passages[(near + step) % len(passages)] for step in range(3)]))
    yield from sorted(made, key=lambda one: str(one["id"])[::-1])


def _conversation(example: dict[str, Any], prompt: Prompt, context: list[str]) -> dict[str, Any]:
    asked = prompt.render("\n\n".join(context), example["question"])
    cited = context[0].splitlines()[0].strip("[]")
    said = json.dumps({"citations": [cited], **example["output"]}) if "output" in example else prompt.refusal
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return {"id": example["id"], "messages": messages}


def _passages() -> Iterator[str]:
    """Paragraphs of the handbook's markdown, each with its document's id and title, as retrieval gives them."""
    for path in sorted((HANDBOOK / "documents").rglob("*.md")):
        name = path.relative_to(HANDBOOK / "documents").as_posix().replace("/", ".")
        title, *blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
        for block in blocks:
            if not block.startswith("#"):
                yield f"[doc:{name}]\n{title.strip('# ')}\n\n{block}"


def _in_a_process(name: str, model: str, learnt: Path, output: Path, seed: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", name, model, str(learnt), str(output), str(seed)]
    path = os.pathsep.join([str(ROOT / "trainer_image"), os.environ.get("PYTHONPATH", "")])
    # Threads that wait asleep, as this trainer has them anyway: on shared cores, others would slow TRL down.
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    print(f"{name}, seed {seed} ...", flush=True)
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": path} | quiet, capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"Expected {name} to train, found that it ended with {ended.returncode}: {ended.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def _side(name: str, model: str, learnt: str, output: str, seed: str) -> None:
    train = _with_this_trainer if name == "this trainer" else _with_trl
    figures = train(model, Path(learnt), output, int(seed), SIDES[name])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps(figures | {"peak_gb": peak}))


def _with_this_trainer(model: str, learnt: Path, output: str, seed: int, _: dict[str, Any]) -> dict[str, Any]:
    from trainer.files import verified_manifest
    from trainer.train_lora import main as train_lora

    settings = {"epochs": 1, "lr": LEARNING_RATE, "batch_size": BATCH_SIZE, "rank": RANK, "alpha": ALPHA, "seed": seed}
    given = [part for key, value in settings.items() for part in (f"--{key}", str(value))]
    train_lora(["--base_model", model, "--train_jsonl", str(learnt), "--output_dir", output, *given])
    metrics = verified_manifest(Path(output))["metrics"]
    return {"seconds": metrics["seconds"], "tokens": metrics["tokens"]}


def _with_trl(model: str, learnt: Path, output: str, seed: int, differs: dict[str, Any]) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.started = time.monotonic()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self.seconds = time.monotonic() - self.started

    clock, rows = Clock(), learnt.with_name("rows.jsonl")
    messages = [json.loads(line)["messages"] for line in learnt.read_text(encoding="utf-8").splitlines()]
    rows.write_text("".join(json.dumps({"prompt": one[:-1], "completion": one[-1:]}) + "\n" for one in messages))
    settings = {"num_train_epochs": 1, "learning_rate": LEARNING_RATE, "per_device_train_batch_size": BATCH_SIZE}
    settings |= {"use_cpu": not torch.cuda.is_available()}  # without a GPU, TRL asks that this be said
    reporting = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True}
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=output, seed=seed, **settings, **reporting, **differs),
        train_dataset=Dataset.from_json(str(rows), cache_dir=str(learnt.parent / "cache")),
        peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[clock],
    )
    trainer.train()
    trainer.save_model(output)
    return {"seconds": clock.seconds}


def _held_out_loss(model: str, held_out: list[dict[str, Any]], adapter: Path | None) -> float:
    """Cross-entropy of an average answer token, in fp32."""
    sys.path.insert(0, str(ROOT / "trainer_image"))
    from peft import PeftModel

    from trainer import base
    from trainer.loss import mean_loss
    from trainer.world import World

    loaded, tokenizer = base.load(model)
    stops = base.stop_ids(loaded, tokenizer)
    examples = [base.render(tokenizer, stops, one["messages"]) for one in held_out]
    adapted = PeftModel.from_pretrained(loaded, str(adapter)) if adapter else loaded
    return mean_loss(adapted.eval(), tokenizer.eos_token_id, examples, BATCH_SIZE, World())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        _side(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
