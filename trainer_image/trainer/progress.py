"""How far a run has come, and the lines by which it says so.

Two of these lines are an interface: whoever follows a job (Airflow's operator, for one) reads them from its log.

    step 3/20 loss 1.234 tokens/s 120      after every step; tokens/s of the whole run so far, padding not counted
    step 10/20 eval_loss 1.500             after every evaluation of the held-out examples

The same figures, unrounded and with the learning rate, are in metrics.jsonl beside the adapter, a line for each of the
lines above: {"step", "loss", "lr", "tokens_per_second"} (of that step alone) and {"step", "eval_loss"}.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

METRICS = "metrics.jsonl"


@dataclass
class Progress:
    """What a run has done so far."""

    step: int = 0
    tokens: int = 0
    """Tokens read so far, prompts included, padding not."""
    seconds: float = 0.0
    """Spent on steps; loading, evaluations and checkpoints not counted."""
    curve: list[dict[str, float]] = field(default_factory=list)
    """The lines of metrics.jsonl."""
    best_step: int = 0
    """The step with the lowest evaluation loss so far."""
    waited: int = 0
    """Evaluations since then."""

    @property
    def losses(self) -> list[float]:
        """One a step: cross-entropy of an average completion token of its batch."""
        return [row["loss"] for row in self.curve if "loss" in row]

    @property
    def eval_losses(self) -> dict[int, float]:
        """{step: loss of the held-out examples after it}"""
        return {int(row["step"]): row["eval_loss"] for row in self.curve if "eval_loss" in row}

    def add_step(self, loss: float, lr: float, tokens: int, seconds: float) -> None:
        """Counts a step."""
        self.step += 1
        self.tokens += tokens
        self.seconds += seconds
        self.curve.append({"step": self.step, "loss": loss, "lr": lr, "tokens_per_second": round(tokens / seconds, 1)})

    def add_evaluation(self, loss: float) -> None:
        """Counts an evaluation after the present step, and whether it is the best one so far."""
        known = self.eval_losses
        self.curve.append({"step": self.step, "eval_loss": loss})
        better = not known or loss < known[self.best_step]
        self.best_step, self.waited = (self.step, 0) if better else (self.best_step, self.waited + 1)

    def step_line(self, steps: int) -> str:
        """Example: step 3/20 loss 1.234 tokens/s 120"""
        return f"step {self.step}/{steps} loss {self.losses[-1]:.3f} tokens/s {self.tokens / self.seconds:.0f}"

    def evaluation_line(self, steps: int) -> str:
        """Example: step 10/20 eval_loss 1.500"""
        return f"step {self.step}/{steps} eval_loss {self.eval_losses[self.step]:.3f}"

    def curve_lines(self) -> str:
        """The text of metrics.jsonl."""
        return "".join(json.dumps(row) + "\n" for row in self.curve)
