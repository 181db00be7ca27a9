"""Checkpoints of a run. One counts only with its completeness marker, which is written last."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from trainer.files import sha256_of_file, sync, write_atomically
from trainer.progress import Progress
from trainer.store import Place
from trainer.world import World

_STATE = "state.safetensors"
_MARKER = "complete.json"
_KEPT = 2


@dataclass
class State:
    """All that a run changes: it goes on from a saved one as if it had never stopped."""

    weights: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.AdamW
    progress: Progress = field(default_factory=Progress)
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    """The weights of the best evaluation so far, where that one is what is published; with rank 0 only."""

    def keep_best(self) -> None:
        """The present weights are the best so far."""
        self.best = {name: weight.detach().clone() for name, weight in self.weights.items()}

    def take_best(self) -> None:
        """Goes back to the best weights."""
        for name, weight in self.best.items():
            self.weights[name].data.copy_(weight)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Weights and both moments of the optimizer, the best weights among them, by name."""
        named = {f"weight/{name}": weight.detach() for name, weight in self.weights.items()}
        named |= {f"best/{name}": weight for name, weight in self.best.items()}
        for name, weight in self.weights.items():
            moments = self.optimizer.state[weight]
            named |= {f"first/{name}": moments["exp_avg"], f"second/{name}": moments["exp_avg_sq"]}
        return named

    def load(self, tensors: dict[str, torch.Tensor], progress: Progress) -> None:
        """Takes over what `tensors` gave."""
        self.progress = progress
        self._make_moments()
        self.best = {}
        for key, tensor in tensors.items():
            kind, _, name = key.partition("/")
            if kind == "best":
                self.best[name] = tensor.to(self.weights[name].device)
            else:
                self._target(kind, name).copy_(tensor)

    def spread(self, world: World) -> None:
        """All processes go on from what rank 0 has."""
        self.progress = Progress(**world.agreed(asdict(self.progress)))
        kinds = ["weight"]
        if self.progress.step:
            kinds += ["first", "second"]
            if not world.writes:
                self._make_moments()
        world.spread([self._target(kind, name) for kind in kinds for name in self.weights])

    def _make_moments(self) -> None:
        for weight in self.weights.values():
            self.optimizer.state[weight] = {
                "step": torch.tensor(float(self.progress.step)),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    def _target(self, kind: str, name: str) -> torch.Tensor:
        weight = self.weights[name]
        if kind == "weight":
            return weight.data
        moments: dict[str, torch.Tensor] = self.optimizer.state[weight]
        return moments[{"first": "exp_avg", "second": "exp_avg_sq"}[kind]]


@dataclass(frozen=True)
class Keeper:
    """The checkpoints of one run."""

    output: Place
    run: str
    """Names everything that the result depends on; checkpoints of another run are never taken over."""
    every_steps: int

    @property
    def folder(self) -> Path:
        """Where they are on this machine."""
        return self.output.folder / "checkpoints"

    def save(self, state: State) -> None:
        """Writes the state after a step, and removes all but the newest two."""
        target = self.folder / f"step-{state.progress.step:06d}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        save_file(state.tensors(), target / _STATE)
        sync(target / _STATE)
        digest = sha256_of_file(target / _STATE)
        marker = {"run": self.run, "sha256": digest, "progress": asdict(state.progress)}
        write_atomically(target / _MARKER, json.dumps(marker))
        self.output.send(target / _STATE, target / _MARKER)
        for old in sorted(self.folder.glob("step-*"))[:-_KEPT]:
            shutil.rmtree(old)
            self.output.remove(old)

    def restore(self, state: State) -> None:
        """Loads the newest whole checkpoint of this very run; with none, the run starts at step 0."""
        for candidate in sorted(self.folder.glob("step-*"), reverse=True):
            progress = self._whole(candidate)
            if progress is None:
                print(f"checkpoint {candidate.name} is incomplete or of another run, left out", flush=True)
                continue
            state.load(load_file(candidate / _STATE), progress)
            print(f"goes on after step {progress.step}", flush=True)
            return
        print("starts at step 0", flush=True)

    def clear(self) -> None:
        """Removes all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.output.remove(self.folder)

    def _whole(self, candidate: Path) -> Progress | None:
        marker = candidate / _MARKER
        if not marker.is_file():
            return None
        content = json.loads(marker.read_text(encoding="utf-8"))
        if content["run"] != self.run or sha256_of_file(candidate / _STATE) != content["sha256"]:
            return None
        return Progress(**content["progress"])
