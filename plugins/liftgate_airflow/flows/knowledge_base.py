"""`kb_<name>`: from changed sources to a judged release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import DAG, TaskGroup, chain, task

from liftgate_airflow import telling
from liftgate_airflow.dag import asset, liftgate_dag, on_time_or_event, sources_assets
from liftgate_airflow.flows.outcome import approval_of, outcome, promotion
from liftgate_airflow.operators.wait_for_turn import WaitForTurn
from liftgate_airflow.scope import run_params
from liftgate_airflow.step import freeze_configuration, step

if TYPE_CHECKING:
    from liftgate.config.knowledge_base import KnowledgeBase

NAME_OF_BATCH = "liftgate.indexing.index_changes.name_of_batch"


def knowledge_base(config: KnowledgeBase, path: Path) -> DAG:
    """Bring the index up to date with its sources, measure it against what is live, and promote it if it holds up.

    Runs by the clock, on events of `liftgate://<name>/sources`, where `watch` is set soon after documents changed, by
    hand, and as a backfill over a range of dates (documents updated in that range are parsed again).

    - **freeze_configuration** stores the validated configuration file; the rest of the run sees that and nothing newer.
    - **stop_if_dry_run** ends a run with the param *dry_run* here, before anything is touched: its log says what would
      be done, and what that costs.
    - **list_sources** lists every document. A listing that breaks off is recorded; plan_changes fails with it.
    - **apply_access** gives today's groups to all rows at once, in every release. It waits for no verdict.
    - **wait_for_turn** waits for the only writer's turn; the log says who holds it. **release_turn** gives it back.
    - **plan_changes** compares listing and index. It stops here, before anything is touched, if more would be removed,
      opened or made readable than the brakes allow; the message names the param that allows it once.
    - **stop_if_nothing_to_do** ends the run in success where sources and verdict are as they were.
    - **index_changes** parses, chunks, embeds and writes one batch of the plan each. Unreadable documents are
      quarantined and keep their last good rows.
    - **close_generation** compares the rows in the index with the plan, and closes the generation. It stops here if a
      source gave none of the documents that it lists.
    - **validate_chunks** holds the chunks to the expectation suite.
    - **propose_candidate** gives the candidate a number; it ends the run in success if the candidate is what is live.
    - **retrieve_for_questions** runs the golden questions on the candidate and on what it is compared with.
    - **evaluate** computes the verdict from that, and **decide** follows it: **promote**, **reject** or **hold**.
    - **notify** says what became of the candidate, and since when live has been behind its sources.
    - **ask_for_approval** and **start_approval**: where `approval` is configured, `approve_<name>` asks a person first.
    - **needs_new_run** and **run_again**: if something else went live meanwhile, this DAG runs once more and judges the
      candidate against that. Nothing is done twice.

    ### Triage
    Readers see the last promoted release until *promote* has ended; a red run changes nothing for them but access.

    - *freeze_configuration* red: correct the file, then trigger a run.
    - *plan_changes* red: read the counts. If they are right, trigger a run with the param that the message names.
      If not, mend the source, then clear *list_sources* and what is downstream.
    - *close_generation* red because a source gave nothing: mend its credentials, then trigger a run.
    - *index_changes*, *close_generation* red otherwise: clear the task with what is downstream. If it says that the
      turn was lost, clear *plan_changes* and what is downstream.
    - *validate_chunks* red: its report is named in the log. Mend documents or parsing; the next run plans anew.
    - A task stays *scheduled*: its pool, which the file names as `pool` or `models_pool`, is full or missing. To make
      it: `airflow pools set NAME 1 "tasks that load a model"`.
    - *reject* or *hold* green: the log gives the sentence that decided. *Browse, Liftgate* has the rest with every
      interval and the questions that changed, `liftgate releases show <name> N` as a table.
    - Something bad is live: trigger `roll_back_<name>`, here or on that page. That takes seconds, and stays until
      `resume_<name>`.
    """
    with liftgate_dag(
        f"kb_{config.name}",
        page=knowledge_base.__doc__,
        of=config,
        schedule=on_time_or_event(config.schedule, *sources_assets(config)),
        params=run_params(),
    ) as dag:
        models = config.models_pool
        frozen = freeze_configuration(path)
        dry = step("liftgate.plan.dry_run.stop_if_dry_run", kind=task.short_circuit)()
        listed = step("liftgate.sources.listing.list_sources")()
        access = step("liftgate.access.apply_access")()
        with _group("index", "Write a candidate generation, as the only writer."):
            turn = WaitForTurn()
            plan = step("liftgate.plan.plan_changes", on_failure_callback=telling.on_brake)()
            go_on = step(
                "liftgate.plan.stop_if_nothing_to_do", kind=task.short_circuit, then=telling.after_nothing_to_do
            )()
            index_changes = step("liftgate.indexing.index_changes", "batch", pool=models, named_by=NAME_OF_BATCH)
            indexed = index_changes.expand(batch=plan)
            closed = step(
                "liftgate.indexing.close_generation",
                then=telling.after_closing,
                on_failure_callback=telling.on_brake,
            )()
            released = step("liftgate.turns.release_turn")().as_teardown(setups=turn)
        with _group("judge", "Measure the candidate against what is live."):
            valid = step("liftgate.validation.steps.validate_chunks", pool=models)()
            candidate = step("liftgate.releases.propose.propose_candidate", kind=task.short_circuit)()
            evidence = step("liftgate.evaluation.retrieve_for_questions.retrieve_for_questions", pool=models)(candidate)
            verdict = step("liftgate.evaluation.evaluate.evaluate")(evidence)
        with _group("settle", "Do what the verdict says, and tell."):
            promote = promotion(candidate, emits=[asset(config.name, "index"), asset(config.name, "release")])
            decided = outcome(candidate, promote, approval_of(config, "retrieval"))
        chain(frozen, dry, listed, access, turn, plan, go_on, indexed, closed, [released, valid])
        chain(valid, candidate, evidence, verdict, decided)
    return dag


def _group(name: str, tooltip: str) -> TaskGroup:
    """A box around tasks for whoever looks at the graph; the tasks keep their ids."""
    return TaskGroup(name, prefix_group_id=False, tooltip=tooltip)
