"""Functions of the library as tasks. The function's name is the task's id.

A step is named by its dotted path and imported when the task runs, since every start of a task parses its DAG file
again, and the library with numpy costs more than a DAG file may.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from liftgate_airflow.lineage import tell_lineage

if TYPE_CHECKING:
    from airflow.sdk import Context

RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=[
                    f"liftgate.errors.{name}"
                    for name in (
                        "ConfigurationError",
                        "KindFaulty",
                        "BrakeApplied",
                        "SourceGaveNothing",
                        "TurnLost",
                        "ModelServerRefused",
                        "ValidationFailed",
                        "EvidenceRefused",
                        "CollectionMissing",
                        "ArtifactCorrupt",
                        "PromotionRefused",
                        "JobRefused",
                        "JobFailedForGood",
                        "NewsRefused",
                    )
                ],
                action=RetryAction.FAIL,
                reason="a retry cannot help; the message says what can",
            )
        ]
    ),
}
"""A source or a database that does not answer is worth a retry; what a person has to settle is not."""


MAP_NAME = "map_name"
"""Where a mapped task's own name is, for its `map_index_template`."""


def step(
    path: str,
    *names: str,
    kind: Callable[..., Any] = task,
    skip_on: str | None = None,
    named_by: str | None = None,
    then: Callable[..., None] | None = None,
    **options: Any,
) -> Any:
    """A task that calls `function(runtime, run, ...)` of the library with what it is given.

    `names` are the parameters that are given by name, as `.expand` does. `kind` is `task` or one of its variants. A
    step that returns `skip_on` ends skipped, so that it emits no asset event. `named_by` is a function of the library
    that is given the same and returns what Airflow calls a mapped task. `then` is called after the step.

    Example: step("liftgate.access.apply_access", pool="light")()
    """
    module, _, name = path.rpartition(".")

    def call(*given: Any, **named: Any) -> Any:
        context = get_current_context()
        key = run_key(context)
        if named_by is not None:
            context[MAP_NAME] = call_step(named_by, key, *given, **named)  # type: ignore[literal-required]
        result = call_step(path, key, *given, **named)
        tell_lineage(path, key, result, call_step)
        if then is not None:
            then(context, key, *given)
        if skip_on is not None and result == skip_on:
            raise AirflowSkipException(f"{name} ended {result}.")
        return result

    call.__name__ = name
    call.__doc__ = f"`{name}` of `{module}`"
    if (pool := options.get("pool", "default_pool")) != "default_pool":
        call.__doc__ += f". {page_of_pool(pool)}"
    call.__signature__ = _signature(names)  # type: ignore[attr-defined]
    if named_by is not None:
        options["map_index_template"] = f"{{{{ {MAP_NAME} }}}}"
    return kind(task_id=name, doc_md=call.__doc__, multiple_outputs=False, **options)(call)


def page_of_pool(pool: str) -> str:
    """What the page of a task says of its pool. Where it is missing, Airflow lets the task wait without a word."""
    made_by = f'`airflow pools set {pool} 1 "tasks that load a model"`'
    return f"While it stays *scheduled*, the pool `{pool}` is full or missing. To make it: {made_by}"


def freeze_configuration(path: Path) -> Any:
    """The first task of a run: stores the validated file, what the run works on, and which brakes it may pass."""

    @task(task_id="freeze_configuration", multiple_outputs=False)
    def freeze() -> None:
        from liftgate.runs import freeze_configuration
        from liftgate_airflow.connection import runtime_from_connection
        from liftgate_airflow.scope import allowances, work_scope

        context = get_current_context()
        with_retries(
            freeze_configuration,
            runtime_from_connection(),
            path,
            run_key(context),
            work_scope(context),
            allowances(context),
        )

    return freeze()


def run_key(context: Context) -> str:
    """The id of the run in the ledger: of the DAG run, or of one task group where a DAG has one for each base."""
    dag_run = context["dag_run"]
    group = context["ti"].task_id.rpartition(".")[0]
    return f"{dag_run.dag_id}:{dag_run.run_id}" + (f":{group}" if group else "")


def call_step(path: str, key: str, *given: Any, **named: Any) -> Any:
    """Call a function of the library on the run as its first task froze it."""
    from importlib import import_module

    from liftgate.runs import load_run
    from liftgate_airflow.connection import runtime_from_connection

    module, _, name = path.rpartition(".")
    runtime = runtime_from_connection()
    run = with_retries(load_run, runtime.database, key)
    return with_retries(getattr(import_module(module), name), runtime, run, *given, **named)


def with_retries(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Call it. A database that does not answer is reported as a configuration error, but is worth a retry here."""
    from liftgate.errors import ConfigurationError

    try:
        return function(*given, **named)
    except ConfigurationError as error:
        if is_silent_database(error):
            raise AirflowException(str(error)) from error
        raise


def is_silent_database(error: Exception) -> bool:
    """Whether it says that the database does not answer, which passes."""
    from psycopg import OperationalError

    return isinstance(error, OperationalError) or isinstance(error.__cause__, OperationalError)


def _signature(names: tuple[str, ...]) -> Signature:
    """Airflow checks arguments against it. It must not show `**named`, or Airflow passes its whole context in."""
    if names:
        return Signature([Parameter(name, Parameter.KEYWORD_ONLY) for name in names])
    return Signature([Parameter("given", Parameter.VAR_POSITIONAL)])
