"""A knowledge base's file: the `ingestion:` block plus name, schedule, access, questions and gate."""

from __future__ import annotations

from pydantic import Field

from liftgate.config.access import Access
from liftgate.config.answers import Answers
from liftgate.config.approval import Approval
from liftgate.config.block import Block
from liftgate.config.brakes import Brakes, Indexing, Retention
from liftgate.config.cron import Cron
from liftgate.config.gate import AnswerGate, Gate
from liftgate.config.ingestion import Ingestion
from liftgate.config.notify import Notify
from liftgate.config.questions import Questions
from liftgate.config.validation import Validation
from liftgate.config.watch import Watch

Name = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")


class KnowledgeBase(Block):
    """Everything that makes `kb_<name>`, `prompt_<name>` and `roll_back_<name>`."""

    name: str = Name
    """Lower-case letters, digits and underscores; part of the DAGs' ids."""
    owner: str = "liftgate"
    """Shown in Airflow."""
    owner_link: str | None = None
    """Where a click on the owner leads: an http or mailto address."""
    schedule: Cron = "0 2 * * *"
    """When it runs besides events: cron, in UTC."""
    watch: Watch | None = None
    """Whether it also runs soon after documents changed. Off unless given; `watch: {}` takes the defaults."""
    pool: str = "default_pool"
    """Airflow's pool of its light tasks."""
    models_pool: str = "default_pool"
    """Airflow's pool of the tasks that load a model."""
    ingestion: Ingestion
    """From sources to rows."""
    access: Access
    """Who may read what."""
    brakes: Brakes = Brakes()
    """What stops a run."""
    indexing: Indexing = Indexing()
    """How its work is cut."""
    retention: Retention = Retention()
    """What is kept to go back to."""
    validation: Validation = Validation()
    """Bounds of the expectation suite over the chunks."""
    questions: Questions
    """The golden questions."""
    gate: Gate = Gate()
    """What a candidate must show."""
    prompt_gate: AnswerGate = AnswerGate()
    """What a new prompt must show."""
    approval: Approval | None = None
    """A person's word before a release goes live, if it is wanted."""
    answers: Answers
    """The model that answers."""
    notify: tuple[Notify, ...] = ()
    """Whom to tell of what."""
    stale_after_hours: float = Field(default=24, gt=0)
    """For how long live may be behind its sources before that counts as stale."""

    @property
    def own_pools(self) -> set[str]:
        """The pools that somebody has to make: Airflow brings its default one."""
        return {self.pool, self.models_pool} - {"default_pool"}

    @property
    def watched_sources(self) -> list[str]:
        """The names of the sources that may be listed whenever somebody wants to know whether they changed."""
        return [block.name for block in self.ingestion.sources if block.list_on_event]
