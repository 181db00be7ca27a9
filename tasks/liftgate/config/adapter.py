"""An adapter's file."""

from __future__ import annotations

from typing import Literal

from liftgate.config.block import Block
from liftgate.config.canary import Canary
from liftgate.config.cron import Cron
from liftgate.config.gate import AnswerGate
from liftgate.config.knowledge_base import Name
from liftgate.config.paths import ExistingPath
from liftgate.config.training import TrainingBlock


class Adapter(Block):
    """Everything that makes `adapter_<name>`: examples, training, and what the adapter must show."""

    name: str = Name
    """Part of the DAG's id."""
    knowledge_base: ExistingPath
    """The file of the knowledge base whose answers it improves."""
    examples: ExistingPath
    """The tuning examples (JSONL)."""
    dataset_revision: str | None = None
    """What your own versioning calls these examples, like a commit of lakeFS or DVC: a note, kept with the adapter."""
    run_on: tuple[Literal["index", "cadence"], ...] = ()
    """What starts it besides a person: a promoted index, or `schedule`."""
    schedule: Cron = "0 4 * * 0"
    """When it runs if `run_on` holds cadence: cron, in UTC."""
    training: TrainingBlock
    """How the adapter is trained."""
    gate: AnswerGate = AnswerGate()
    """What the adapter must show."""
    canary: Canary | None = None
    """Some readers get it first, if that is wanted."""
