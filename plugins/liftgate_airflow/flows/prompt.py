"""`prompt_<name>`: a changed prompt, judged by the answers that it gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import DAG, task

from liftgate_airflow.dag import asset, liftgate_dag
from liftgate_airflow.flows.answers import judged_answers
from liftgate_airflow.flows.outcome import approval_of, outcome, promotion
from liftgate_airflow.step import freeze_configuration, step

if TYPE_CHECKING:
    from liftgate.config.knowledge_base import KnowledgeBase


def prompt(config: KnowledgeBase, path: Path) -> DAG:
    """Judge the prompt that the configuration names against the one that is live, and promote it if it is better.

    Runs by hand, after the prompt's file was changed. Nothing but the prompt differs between the two sides.

    - **freeze_configuration** stores the validated configuration file; the rest of the run sees that and nothing newer.
    - **propose_prompt** gives the candidate a number; it ends the run in success if this prompt is live.
    - **answer_with_candidate**, **answer_with_baseline** answer the golden questions. Answers that are known from an
      earlier run are not generated again.
    - **compare_answers** scores both sides, **evaluate** computes the verdict.
    - **decide** follows it: **promote**, **reject** or **hold**. **notify** says which.
    - **ask_for_approval** and **start_approval**: where `approval` is configured, `approve_<name>` asks a person first.
    - **needs_new_run** and **run_again**: if something else went live meanwhile, this DAG runs once more and judges the
      candidate against that. Nothing is done twice.

    ### Triage
    Readers see the last promoted release until *promote* has ended; a red run changes nothing for them.

    - A task stays *scheduled*: its pool, which the file names as `pool` or `models_pool`, is full or missing. To make
      it: `airflow pools set NAME 1 "tasks that load a model"`.
    - An *answer* task red: clear it with what is downstream; answers that were finished are kept.
    - *reject* or *hold* green: the log gives the sentence that decided. `liftgate releases show <name> N` has the rest.
    - A bad prompt is live: trigger `roll_back_<name>`; with part `prompt`, only the prompt goes back.
    """
    with liftgate_dag(f"prompt_{config.name}", page=prompt.__doc__, of=config, schedule=None) as dag:
        candidate = step("liftgate.releases.propose.propose_prompt", kind=task.short_circuit)()
        freeze_configuration(path) >> candidate
        verdict = judged_answers(candidate, config.answers.job, config.models_pool)
        promote = promotion(candidate, emits=[asset(config.name, "release")])
        verdict >> outcome(candidate, promote, approval_of(config, "prompt"))
    return dag
