"""Which backend runs a job, as its block says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.config.jobs import JobBlock
from liftgate.errors import ConfigurationError
from liftgate.jobs.backend import JobBackend
from liftgate.jobs.places import Places

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def backend_for(runtime: Runtime, job: JobBlock) -> JobBackend:
    """The backend that waits in this process: this machine, or the cluster of the kubeconfig file."""
    if job.backend == "local":
        return _local(runtime, job)
    from liftgate.jobs.api import api_client
    from liftgate.jobs.kinds import kind_named
    from liftgate.jobs.kubeflow import KubeflowBackend

    return KubeflowBackend(api_client(), kind_named(job.backend, job.runtime))


def _local(runtime: Runtime, job: JobBlock) -> JobBackend:
    if runtime.settings.trainer_dir is None:
        raise ConfigurationError("Expected LIFTGATE_TRAINER_DIR to name the folder trainer_image, found none. Set it.")
    from liftgate.jobs.local.backend import LocalBackend

    claims = Places(runtime, job).claims()
    return LocalBackend(runtime.files / "jobs", claims, runtime.settings.trainer_dir, ignore_gpus=True)
