"""`adapter_<name>`: from tuning examples to a judged adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, chain, task

from liftgate_airflow.dag import asset, liftgate_dag, on_time, on_time_or_event
from liftgate_airflow.flows.answers import judged_answers
from liftgate_airflow.flows.jobs import job
from liftgate_airflow.flows.outcome import approval_of, outcome, promotion
from liftgate_airflow.step import freeze_configuration, step

if TYPE_CHECKING:
    from liftgate.config.adapter import Adapter


def adapter(config: Adapter, path: Path) -> DAG:
    """Train a LoRA adapter on the tuning examples, and promote it if answers with it are measured better.

    Runs by hand, and on what `run_on` in its file names: a promoted index, or the clock.

    - **freeze_configuration** stores the validated configuration files; the rest of the run sees nothing newer.
    - **build_tuning_set** writes the training file from the examples and what is retrieved for them today, without
      documents that are not open to all, and with the lineage of each example.
    - **stop_if_nothing_to_do** ends the run in success if no training is due and the newest adapter is judged.
    - **validate_tuning_set** holds the file to the expectation suite.
    - **train** runs the training job and waits for it; a finished training is not repeated. With `training.backend:
      pytorchjob` it is a PyTorchJob of the cluster: its log and its progress stand in the task's log.
    - **register_adapter** makes the adapter part of a candidate release.
    - **answer_with_candidate**, **answer_with_baseline** answer the golden questions with the adapter and without it.
    - **compare_answers** scores both sides, **evaluate** computes the verdict.
    - **decide** follows it: **promote**, **reject** or **hold**. **notify** says which.
    - **ask_for_approval** and **start_approval**: where the knowledge base has `approval`, a person is asked first.
    - **start_canary** and **trigger_canary**: where this adapter's file has `canary`, some readers get it first, and
      `canary_<name>` waits for what becomes of their requests.
    - **needs_new_run** and **run_again**: if something else went live meanwhile, this DAG runs once more and judges the
      candidate against that. Nothing is done twice.

    ### Triage
    Readers see the last promoted release until *promote* has ended; a red run changes nothing for them.

    - A task stays *scheduled*: its pool, which the knowledge base names as `pool` or `models_pool`, is full or missing.
      To make it: `airflow pools set NAME 1 "tasks that load a model"`.
    - *validate_tuning_set* red: its report is named in the log. Mend the examples, then start a new run.
    - *train* red: its log ends with the job's, or with what is wrong with each of its pods. Mend that and clear it;
      training goes on from its last checkpoint. Marking it failed deletes its job.
    - An *answer* task red: clear it with what is downstream; answers that were finished are kept.
    - *reject* or *hold* green: the log gives the sentence that decided. More or better examples help; wider margins
      do not.
    - A bad adapter is live: trigger `roll_back_<knowledge base>`; with part `adapter`, only the adapter goes back.
    """
    from liftgate.config.stand_in import knowledge_base_for_wiring

    base = knowledge_base_for_wiring(config.knowledge_base)
    with liftgate_dag(
        f"adapter_{config.name}",
        page=adapter.__doc__,
        of=base,
        schedule=_schedule(config, base.name),
    ) as dag:
        models = base.models_pool
        digest = step("liftgate.training.tuning_set.build_tuning_set", pool=models)()
        due = step("liftgate.training.due.stop_if_nothing_to_do", kind=task.short_circuit)(digest)
        valid = step("liftgate.validation.steps.validate_tuning_set", pool=models)(digest)
        work = ("liftgate.training.train.train", "liftgate.training.train.Training")
        trained = job(*work, config.training, models, digest)
        uid = [] if config.training.backend == "local" else [trained.operator.output["job_uid"]]
        candidate = step("liftgate.training.adapters.register_adapter")(digest, trained, *uid)
        chain(freeze_configuration(path), digest, due, valid, trained)
        verdict = judged_answers(candidate, base.answers.job, models)
        promote = promotion(candidate, emits=[asset(base.name, "adapter"), asset(base.name, "release")])
        tried = config.canary is not None
        verdict >> outcome(candidate, promote, approval_of(base, "adapter"), canary=tried)
    return dag


def _schedule(config: Adapter, kb: str) -> Any:
    """None, the index, the clock, or both, as `run_on` says."""
    if set(config.run_on) == {"index", "cadence"}:
        return on_time_or_event(config.schedule, asset(kb, "index"))
    if "index" in config.run_on:
        return [asset(kb, "index")]
    return on_time(config.schedule) if config.run_on else None
