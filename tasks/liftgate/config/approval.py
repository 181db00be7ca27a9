"""`approval:` a person's word before a release goes live."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from liftgate.config.block import Block

Kind = Literal["retrieval", "prompt", "adapter"]
Answer = Literal["promote", "reject", "hold"]


class Approval(Block):
    """Who lets a candidate go live that the gate would promote. Without this block the gate's verdict is enough."""

    of: tuple[Kind, ...] = Field(default=("retrieval", "prompt", "adapter"), min_length=1)
    """Which candidates wait for a person: those with another index, another prompt, another adapter."""
    users: tuple[str, ...] = ()
    """Ids of those of Airflow's users who may answer. Empty: everybody who may answer in the DAG `approve_<name>`."""
    deadline_hours: float = Field(default=24, gt=0)
    """How long an answer is waited for."""
    when_nobody_answers: Answer = "hold"
    """What the deadline decides. A candidate that is held can still be approved by hand."""
