"""`roll_back_<name>` and `resume_<name>`: the way back, and forward again."""

from __future__ import annotations

from airflow.sdk import DAG, Context, Param, get_current_context, task

from liftgate_airflow import telling
from liftgate_airflow.dag import asset, liftgate_dag
from liftgate_airflow.step import step

WHY = Param(title="Why", description="Kept in the ledger.", type="string", minLength=3)


def roll_back(kb: str, models_pool: str) -> DAG:
    """Make an earlier release live again. It takes seconds, moves a pointer, and stays until somebody resumes.

    - **roll_back** changes what is live and sets a hold on promotions: candidates are still built and judged, and wait.
      Access is not rolled back: today's groups hold in every release.
    - **needs_verdict** ends the run in success if the release is one that was live as it is.
    - **judge_release** judges a release that a *part* made new, against what was live before. It changes nothing: its
      log says whether the mixture holds. Further rollbacks do not wait for it.

    `liftgate releases list <name>` shows which releases were live. The *kind* decides what it takes to go forward:
    after `drill` and `operational` the old verdict stands, after `quality` and `legal` it takes new evidence, or a
    person who overrides with a reason. With *part*, only the index, the prompt or the adapter goes back.

    ### Triage
    Readers see what they saw before until *roll_back* has ended, and the earlier release from then on.

    - *roll_back* red: nothing changed; the message says why. A release that is pruned, or was never live, cannot be
      chosen.
    - *judge_release* red: the rollback holds, unjudged. Clear it.
    - *judge_release* says reject: trigger this again without *part*.
    - To undo: trigger `resume_<name>`. The next run then carries out what was held.
    """
    params = {
        "to_release": Param(title="Release", description="The number to go back to.", type="integer", minimum=1),
        "kind": Param(
            "operational",
            title="Kind",
            description="After drill and operational the old verdict stands; after quality and legal, going forward "
            "takes new evidence, or a person who overrides.",
            type="string",
            enum=["drill", "operational", "quality", "legal"],
        ),
        "why": WHY,
        "part": Param(
            None,
            title="Only this part",
            description="Empty: the whole release.",
            type=["null", "string"],
            enum=[None, "retrieval", "prompt", "adapter"],
        ),
    }
    with liftgate_dag(
        f"roll_back_{kb}", page=roll_back.__doc__, kb=kb, schedule=None, params=params, max_active_runs=16
    ) as dag:

        @task(task_id="roll_back", outlets=[asset(kb, "release")])
        def go_back() -> int:
            from liftgate.releases.rollback import roll_back
            from liftgate.runs import freeze_as_before
            from liftgate_airflow.connection import runtime_from_connection
            from liftgate_airflow.step import run_key, with_retries

            context = get_current_context()
            asked = {name: context["params"][name] for name in ("kind", "why", "part")}
            to, by = context["params"]["to_release"], _person(context)
            runtime, key = runtime_from_connection(), run_key(context)
            n: int = with_retries(roll_back, runtime, kb, to, by=by, run_id=key, **asked)
            with_retries(freeze_as_before, runtime, kb, key)
            telling.after_a_person(context, key, kb)
            return n

        n = go_back()
        judged = step("liftgate.evaluation.judge_release.judge_release", pool=models_pool)(n)
        step("liftgate.evaluation.judge_release.needs_verdict", kind=task.short_circuit)(n) >> judged
    return dag


def resume(kb: str) -> DAG:
    """Lift the hold that a rollback set, so that candidates can go live again.

    - **resume** records who lifted the hold and why. Nothing else changes; the next run of `kb_<name>` or
      `adapter_<name>` carries out a verdict that was held.

    ### Triage
    - Red: nothing changed; the message says why.
    - To undo: trigger `roll_back_<name>` again.
    """
    with liftgate_dag(f"resume_{kb}", page=resume.__doc__, kb=kb, schedule=None, params={"why": WHY}) as dag:

        @task(task_id="resume")
        def go_on() -> None:
            from liftgate.releases.rollback import resume
            from liftgate_airflow.connection import runtime_from_connection
            from liftgate_airflow.step import run_key, with_retries

            context = get_current_context()
            by, why = _person(context), context["params"]["why"]
            with_retries(resume, runtime_from_connection(), kb, by=by, run_id=run_key(context), why=why)
            telling.after_a_person(context, run_key(context), kb)

        go_on()
    return dag


def _person(context: Context) -> str:
    """Who triggered the run, as Airflow knows them."""
    return context["dag_run"].triggering_user_name or "airflow"
