"""The training loop: completion-only loss, AdamW, a warm-up and a straight line down to 0."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from trainer import defaults
from trainer.base import device
from trainer.checkpoints import Keeper, State
from trainer.data import Example
from trainer.failures import Diverged
from trainer.loss import mean_loss, set_gradients
from trainer.progress import Progress
from trainer.schedule import Schedule
from trainer.world import World


@dataclass(frozen=True)
class Evaluation:
    """How a run is measured while it goes on."""

    held_out: Sequence[Example]
    """Never learnt. Without them, nothing is measured."""
    every_steps: int
    patience: int | None
    """The run ends after so many evaluations without a better one, and the best weights are the result."""


@dataclass(frozen=True)
class Loop:
    """One run: the same in every process, each of which learns its share of every batch."""

    model: Any
    pad: int
    schedule: Schedule
    evaluation: Evaluation
    keeper: Keeper
    world: World
    pieces: int

    def run(self, resume: bool) -> Progress:
        """Trains the model's adapter in place. Raises Diverged when the loss is no longer a finite number."""
        state = self._start(resume)
        self.model.train()
        for step, batch in self.schedule.after(state.progress.step):
            if self._out_of_patience(state.progress):
                break
            self._learn(state, batch)
            if step % self.evaluation.every_steps == 0 or step == self.schedule.steps:
                self._evaluate(state)
            if step % self.keeper.every_steps == 0 and step < self.schedule.steps and self.world.writes:
                self.keeper.save(state)
        state.take_best()
        return state.progress

    def _start(self, resume: bool) -> State:
        weights = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        state = State(weights, torch.optim.AdamW(weights.values(), weight_decay=0.0))
        if self.world.writes:
            if not resume:
                self.keeper.clear()
            self.keeper.restore(state)
        state.spread(self.world)
        return state

    def _learn(self, state: State, batch: list[Example]) -> None:
        started = time.monotonic()
        progress, weights = state.progress, list(state.weights.values())
        loss = self._set_gradients(weights, batch)
        _refuse_nonfinite(loss, progress.step + 1)
        torch.nn.utils.clip_grad_norm_(weights, defaults.MAX_GRADIENT_NORM)
        rate = self.schedule.rate(progress.step + 1)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.optimizer.step()
        progress.add_step(loss, rate, sum(map(len, batch)), time.monotonic() - started)
        self._say(progress.step_line(self.schedule.steps))

    def _set_gradients(self, weights: list[torch.nn.Parameter], batch: list[Example]) -> float:
        """Gradients and loss of the whole batch. A process without a share of it adds zeros."""
        share, tokens = self.world.share(batch), self.schedule.completion_tokens
        own = set_gradients(self.model, self.pad, share, tokens, weights, self.pieces)
        loss = torch.tensor([own], device=device())
        self.world.add_up([*(weight.grad for weight in weights if weight.grad is not None), loss])
        return loss.item()

    def _evaluate(self, state: State) -> None:
        held_out = self.evaluation.held_out
        if not held_out:
            return
        self.model.eval()
        loss = mean_loss(self.model, self.pad, held_out, self.schedule.batch_size, self.world)
        self.model.train()
        _refuse_nonfinite(loss, state.progress.step)
        state.progress.add_evaluation(loss)
        self._say(state.progress.evaluation_line(self.schedule.steps))
        if self.evaluation.patience and self.world.writes and state.progress.waited == 0:
            state.keep_best()

    def _out_of_patience(self, progress: Progress) -> bool:
        if not self.evaluation.patience or progress.waited < self.evaluation.patience:
            return False
        self._say(f"stops after step {progress.step}: the best evaluation was {progress.waited} evaluations ago")
        return True

    def _say(self, line: str) -> None:
        if self.world.writes:
            print(line, flush=True)


def _refuse_nonfinite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise Diverged(
            f"Expected a finite loss at step {step}, found {loss}. Nothing was saved. "
            "Use a lower learning rate, or look for broken examples."
        )
