"""The set-up of all tasks that write to an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from liftgate_airflow.step import call_step, run_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class WaitForTurn(BaseOperator):
    """Take the writer's turn of the run's knowledge base; while another run has it, wait in the triggerer.

    A waiting run holds no worker's slot. Clearing a task that writes clears this one too, which takes the turn again.
    """

    def __init__(self, *, task_id: str = "wait_for_turn", poll_seconds: float = 5, **options: Any):
        super().__init__(task_id=task_id, **options)
        self.poll_seconds = poll_seconds

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Take the turn, or defer until the trigger has it. What the trigger took may have run out meanwhile."""
        from liftgate.turns import Waiting
        from liftgate_airflow.triggers.turn import TurnTrigger

        key = run_key(context)
        turn = call_step("liftgate.turns.take_turn", key)
        if isinstance(turn, Waiting):
            print(f"{key} is {turn}.")
            self.defer(trigger=TurnTrigger(run=key, poll_seconds=self.poll_seconds), method_name="execute")
        print(f"{key} has the turn of {turn.kb}.")
