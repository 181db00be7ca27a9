"""`approve_<name>`: a person's word before a release goes live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, AssetAlias, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from liftgate_airflow.dag import asset, liftgate_dag
from liftgate_airflow.flows.outcome import outcome
from liftgate_airflow.step import call_step, run_key

if TYPE_CHECKING:
    from liftgate.config.knowledge_base import KnowledgeBase

QUESTIONS_AT_ONCE = 64
"""A run that waits for an answer is an active one, and one that waits must not keep others from being asked."""
CHANGED = {"retrieval": ["index", "release"], "prompt": ["release"], "adapter": ["adapter", "release"]}
"""The assets of a knowledge base that the promotion of each kind of release changes."""
PARAMS = {
    "release": Param(title="Release", description="The candidate to ask about.", type="integer", minimum=1),
}


JUDGED_BY = "{{ ti.xcom_pull(task_ids='record_answer', key='judged_by') }}"
"""The DAG that proposed the candidate. No param: who may ask here need not have the right to start any other DAG."""


def approve(config: KnowledgeBase, path: Path) -> DAG | None:
    """Ask a person whether a release that the gate would promote shall go live, and do what they answer.

    The run that judged the release starts this one and ends, so that nothing else waits. By hand, it asks about a
    release that was held.

    - **wait_for_answer** shows the evidence: the verdict, each number with its bounds, what changes, what it cost. It
      waits without a worker, for as long as `approval.deadline_hours` says; then `when_nobody_answers` is the answer.
    - **record_answer** writes into the ledger who answered what, and when. It ends the run in success if the answer
      came too late: a newer candidate superseded this one, or it was judged again.
    - **decide** follows the ledger: **promote**, **reject** or **hold**. **notify** says which.
    - **start_canary** and **trigger_canary**: an adapter whose file has `canary` goes to some readers first.
    - **needs_new_run** and **run_again**: if something else went live meanwhile, the DAG that made it runs once more.

    ### Triage
    Readers see the last promoted release until *promote* has ended.

    - *wait_for_answer* waits: answer under *Required Actions* of this run. Only `approval.users` may, where it is set.
    - *promote* red: the message says what the ledger does not allow, such as a hold after a rollback.
    - Held by the deadline: trigger this DAG again with the release's number.
    - A release went live that should not have: trigger `roll_back_<name>`.
    """
    if config.approval is None:
        return None
    from liftgate_airflow.operators.approval import WaitForAnswer

    with liftgate_dag(
        f"approve_{config.name}",
        page=approve.__doc__,
        of=config,
        schedule=None,
        params=PARAMS,
        max_active_runs=QUESTIONS_AT_ONCE,
    ) as dag:
        given = WaitForAnswer(kb=config.name, approval=config.approval).output
        candidate = _record_answer()(given)
        promote = _promotion(config.name)(candidate)
        outcome(candidate, promote, again=JUDGED_BY, canary="adapter" in config.approval.of)
    return dag


def _record_answer() -> Any:
    @task.short_circuit(task_id="record_answer", multiple_outputs=False)
    def record_answer(given: dict[str, Any]) -> int:
        """The release, or 0 where the answer came too late."""
        from datetime import datetime

        from liftgate.releases.approval import Given

        context = get_current_context()
        answer = Given(given["answer"], given["by"], datetime.fromisoformat(given["at"]))
        key, release, path = run_key(context), context["params"]["release"], "liftgate.releases.approval"
        context["ti"].xcom_push("judged_by", call_step(f"{path}.judged_by", key, release))
        return release if call_step(f"{path}.record_answer", key, release, given["evaluation"], answer) else 0

    return record_answer


def _promotion(kb: str) -> Any:
    """As in every other flow, but which assets have changed is known only when the release is."""
    approved = AssetAlias(f"approved_{kb}")

    @task(task_id="promote", outlets=[approved], multiple_outputs=False)
    def promote(candidate: int) -> None:
        context = get_current_context()
        key = run_key(context)
        if call_step("liftgate.releases.outcomes.promote", key, candidate) == "superseded":
            raise AirflowSkipException("promote ended superseded.")
        component = call_step("liftgate.releases.outcomes.component_of", key, candidate)
        for what in CHANGED[component]:
            context["outlet_events"][approved].add(asset(kb, what))

    return promote
