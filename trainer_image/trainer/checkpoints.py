"""Checkpoints of a run. One counts only with its completeness marker, which is written last."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from trainer.files import sha256_of_file, sync, write_atomically

_STATE = "state.safetensors"
_MARKER = "complete.json"
_KEPT = 2


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    tokens: int = 0
    """Tokens read so far, prompts included, padding not."""
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    """One a step: mean over the completion tokens of its batch."""


Parameters = dict[str, torch.nn.Parameter]


@dataclass(frozen=True)
class Keeper:
    """The checkpoints of one run."""

    folder: Path
    run: str
    """Names everything that the result depends on; checkpoints of another run are never taken over."""
    every_steps: int

    def save(self, progress: Progress, weights: Parameters, optimizer: torch.optim.AdamW) -> None:
        """Writes the state after a step, and removes all but the newest two."""
        target = self.folder / f"step-{progress.step:06d}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        save_file(_state(weights, optimizer), target / _STATE)
        sync(target / _STATE)
        digest = sha256_of_file(target / _STATE)
        marker = {"run": self.run, "sha256": digest, "progress": asdict(progress)}
        write_atomically(target / _MARKER, json.dumps(marker))
        for old in sorted(self.folder.glob("step-*"))[:-_KEPT]:
            shutil.rmtree(old)

    def restore(self, weights: Parameters, optimizer: torch.optim.AdamW) -> Progress:
        """Loads the newest whole checkpoint of this very run; with none, the run starts at step 0."""
        for candidate in sorted(self.folder.glob("step-*"), reverse=True):
            progress = self._whole(candidate)
            if progress is None:
                print(f"checkpoint {candidate.name} is incomplete or of another run, left out", flush=True)
                continue
            _load(load_file(candidate / _STATE), weights, optimizer, progress.step)
            print(f"goes on after step {progress.step}", flush=True)
            return progress
        print("starts at step 0", flush=True)
        return Progress()

    def clear(self) -> None:
        """Removes all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _whole(self, candidate: Path) -> Progress | None:
        marker = candidate / _MARKER
        if not marker.is_file():
            return None
        content = json.loads(marker.read_text(encoding="utf-8"))
        if content["run"] != self.run or sha256_of_file(candidate / _STATE) != content["sha256"]:
            return None
        return Progress(**content["progress"])


def _state(weights: Parameters, optimizer: torch.optim.AdamW) -> dict[str, torch.Tensor]:
    state = {}
    for name, weight in weights.items():
        moments = optimizer.state[weight]
        state[f"weight/{name}"] = weight.detach()
        state[f"first/{name}"] = moments["exp_avg"]
        state[f"second/{name}"] = moments["exp_avg_sq"]
    return state


def _load(state: dict[str, torch.Tensor], weights: Parameters, optimizer: torch.optim.AdamW, step: int) -> None:
    for name, weight in weights.items():
        weight.data.copy_(state[f"weight/{name}"])
        optimizer.state[weight] = {
            "step": torch.tensor(float(step)),
            "exp_avg": state[f"first/{name}"].to(weight.device),
            "exp_avg_sq": state[f"second/{name}"].to(weight.device),
        }
