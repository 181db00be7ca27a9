"""`canary_<name>`: some readers get a new adapter before it goes live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, get_current_context, task

from liftgate_airflow.dag import asset, liftgate_dag
from liftgate_airflow.flows.outcome import outcome, promotion
from liftgate_airflow.step import call_step, run_key

if TYPE_CHECKING:
    from liftgate.config.adapter import Adapter

CANARIES_AT_ONCE = 16
"""One runs; the runs of those that it took the place of end at their next look."""
PARAMS = {
    "release": Param(title="Release", description="The one whose canary was started.", type="integer", minimum=1),
}


def canary(config: Adapter, path: Path) -> DAG | None:
    """Wait for what becomes of the requests of a canary, judge it, and let its adapter go live or not.

    The run that started the canary starts this one and ends. From then on a share of readers gets what is live with the
    new adapter in it, for as long as `canary.hours` says, and the application tells how their requests and those of all
    other readers end.

    - **wait_for_outcomes** waits without a worker until the canary's time is up, or until it is so surely worse that it
      must not run on, or something else ended it: a newer canary, a rollback, a hold.
    - **judge_canary** compares the shares of good answers, by reader, and writes the judgement with its counts into the
      ledger. It ends the run in success where something else had ended the canary.
    - **decide** follows it: **promote** where the canary passed, **reject** where it was worse, **hold** where neither
      was shown or too few outcomes came. The release is the newest with this adapter. **notify** says which.
    - **needs_new_run** and **run_again**: if something else went live meanwhile, `adapter_<name>` runs once more. The
      same adapter needs no second canary.

    ### Triage
    Readers see the last promoted release, and the canary's readers the new adapter, until *judge_canary* has ended or
    the canary's time is up, whichever comes first.

    - The canary does harm: mark *wait_for_outcomes* failed (clearing it only makes it wait anew), or
      `liftgate releases end-canary`. Readers get what is live again within seconds, and the adapter is rejected and not
      tried again.
    - *wait_for_outcomes* red, and nobody marked it: clear it. When the canary's time is up, the next run of
      `adapter_<name>` starts another run here too.
    - *judge_canary* red: what started the canary is still the ledger's word. Clear it.
    - Held for too few outcomes: does the application report them? `liftgate releases list` shows how many came. With
      more `hours` in the adapter's file, `adapter_<name>` starts another canary.
    - *promote* red: the message says what the ledger does not allow, such as a hold after a rollback.
    """
    if config.canary is None:
        return None
    from liftgate.config.stand_in import knowledge_base_for_wiring
    from liftgate_airflow.operators.wait_for_outcomes import WaitForOutcomes

    base = knowledge_base_for_wiring(config.knowledge_base)
    with liftgate_dag(
        f"canary_{config.name}",
        page=canary.__doc__,
        of=base,
        schedule=None,
        params=PARAMS,
        max_active_runs=CANARIES_AT_ONCE,
    ) as dag:
        judged = _judge_canary()()
        WaitForOutcomes(kb=base.name) >> judged
        promote = promotion(judged, emits=[asset(base.name, "adapter"), asset(base.name, "release")])
        outcome(judged, promote, again=f"adapter_{config.name}")
    return dag


def _judge_canary() -> Any:
    @task.short_circuit(task_id="judge_canary", multiple_outputs=False)
    def judge_canary() -> int:
        """The release to decide about, or 0 where the canary was ended by something else."""
        context = get_current_context()
        key, release = run_key(context), context["params"]["release"]
        n: int = call_step("liftgate.releases.canary_steps.judge_canary", key, release)
        return n

    return judge_canary
