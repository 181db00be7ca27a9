"""What became of the task that a trigger waits for."""

from __future__ import annotations

from typing import Any


async def states_of(task_instance: Any) -> set[str]:
    """The states of a trigger's own task, which a person may have changed: {"deferred"}, {"failed"}, ..."""
    if task_instance is None:
        return set()
    from airflow.sdk.execution_time.comms import GetTaskStates
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    ti = task_instance
    asked = GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    answer: Any = await SUPERVISOR_COMMS.asend(asked)
    return set(answer.task_states.get(ti.run_id, {}).values())
