"""Tasks whose work is done in their own process tree, or by jobs of a cluster, as the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liftgate_airflow.step import step

if TYPE_CHECKING:
    from liftgate.config.jobs import JobBlock


def job(here: str, work: str, place: JobBlock, models_pool: str, *given: Any) -> Any:
    """A task that runs the step `here` on this machine, or `work` on a cluster; it has the step's name either way.

    On a cluster it takes no slot of the pool for models, since it waits in the triggerer.
    """
    if place.backend == "local":
        return step(here, pool=models_pool)(*given)
    from liftgate_airflow.operators.job_step import JobStep

    return JobStep(task_id=here.rpartition(".")[2], work=work, job=place, given=given, doc_md=f"`{work}`").output
