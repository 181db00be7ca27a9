"""The kinds of jobs that clusters run, by the name that a manifest or a configuration calls them."""

from __future__ import annotations

from liftgate.errors import JobRefused
from liftgate.jobs.kubeflow import PYTORCHJOB, JobKind
from liftgate.jobs.trainjob import RUNTIME, trainjob


def kind_named(name: str, runtime: str = RUNTIME) -> JobKind:
    """The kind of this name, in any case. `runtime` is what a TrainJob is made from.

    Example: "PyTorchJob" or "pytorchjob" -> PYTORCHJOB
    """
    kinds = {"pytorchjob": PYTORCHJOB, "trainjob": trainjob(runtime)}
    if name.lower() not in kinds:
        raise JobRefused(f"Expected a PyTorchJob or a TrainJob, found {name or 'no kind'}. Set the manifest's kind.")
    return kinds[name.lower()]
