"""The `training:` block of an adapter file: what is trained, where, and with which resources."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from liftgate.config.jobs import JobBlock

_NO_OPEN_GROUPS = (
    "Expected open_groups, the groups whose documents a model may learn from, found none. "
    "Name them, for example open_groups: [staff]. There is no default: a model forgets no secret."
)


_TRAINER_ARGUMENTS = (
    *("epochs", "max_steps", "lr", "rank", "alpha", "target_modules"),
    *("batch_size", "gradient_accumulation", "precision", "seed", "max_length", "max_broken_share"),
    *("eval_share", "eval_steps", "patience"),
)


class TrainingBlock(JobBlock):
    """How adapters are trained. LoRA's settings that are left out keep the trainer's own defaults."""

    open_groups: list[str] = Field(min_length=1)
    """Only documents that one of these groups may read are learnt from. No default."""
    base_model: str
    """Folder or name of the base model."""
    epochs: int | None = Field(default=None, ge=1)
    """Times that every example is seen."""
    max_steps: int | None = Field(default=None, ge=1)
    """Ends training after so many steps, whatever the epochs."""
    lr: float | None = Field(default=None, gt=0)
    """Highest learning rate."""
    rank: int | None = Field(default=None, ge=1)
    """Rank of the adapter's matrices."""
    alpha: int | None = Field(default=None, ge=1)
    """Scale of the adapter's output, in ranks."""
    target_modules: Literal["all-linear"] | list[str] | None = Field(default=None, min_length=1)
    """Layers that get an adapter: their names, or all-linear."""
    batch_size: int | None = Field(default=None, ge=1)
    """Examples a step, over all processes of the job."""
    gradient_accumulation: int | None = Field(default=None, ge=1)
    """Pieces in which a process computes its share of a batch: more take less memory, the result is the same."""
    precision: Literal["auto", "fp32", "bf16"] | None = None
    """Of the base model: auto is bf16 on GPUs and fp32 on CPUs. The adapter's weights are always fp32."""
    seed: int | None = None
    """Draws the adapter's first weights and the order of the examples."""
    max_length: int | None = Field(default=None, ge=16)
    """Longer examples are left out, in tokens."""
    max_broken_share: float | None = Field(default=None, ge=0, lt=1)
    """Broken lines of a tuning set are left out up to this share of its lines; more of them stop the job."""
    eval_share: float | None = Field(default=None, ge=0, lt=1)
    """Share of the examples that is not learnt but evaluated on while training goes on."""
    eval_steps: int | None = Field(default=None, ge=1)
    """Steps between two evaluations."""
    patience: int | None = Field(default=None, ge=1)
    """Training ends after so many evaluations without a better one, and the best weights are the adapter."""
    nodes: int = Field(default=1, ge=1)
    """Replicas of the job; each asks for the resources."""
    procs_per_node: int = Field(default=1, ge=1)
    """Processes of a replica, one for each GPU."""
    min_hours_between_trainings: float = Field(default=0, ge=0)
    """No new training starts within so many hours of the last one."""

    @model_validator(mode="before")
    @classmethod
    def _ask_for_open_groups(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("open_groups"):
            raise ValueError(_NO_OPEN_GROUPS)
        return values

    @model_validator(mode="after")
    def _evaluate_if_patient(self) -> Self:
        if self.patience and not self.eval_share:
            raise ValueError(
                "Expected eval_share with patience, found none. Set the share of the examples to evaluate on."
            )
        return self

    def trainer_arguments(self) -> list[str]:
        """The trainer's arguments for what is set here; everything else keeps the trainer's default.

        Example: epochs=2, target_modules=["q_proj", "v_proj"] -> ["--epochs", "2", "--target_modules", "q_proj,v_proj"]
        """
        given = {name: getattr(self, name) for name in _TRAINER_ARGUMENTS}
        return [part for name, value in given.items() if value is not None for part in (f"--{name}", _text(value))]


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
