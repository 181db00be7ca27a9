"""What makes a training the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.answering.base_model import base_revision
from liftgate.fingerprints import fingerprint
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def identity_of(runtime: Runtime, run: Run, tuning_set: str) -> dict[str, str]:
    """Tuning set, base model and settings: two trainings that are alike in them give the same adapter."""
    training = run.adapter.training
    revision = training.base_revision or base_revision(training.base_model, runtime.settings.models_dir)
    base = f"{training.base_model}@{revision}"
    return {"kb": run.kb, "tuning_set": tuning_set, "base": base, "settings": fingerprint(training.trainer_arguments())}
