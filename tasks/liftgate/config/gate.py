"""What a candidate must show before it goes live. Bounds are one-sided at 95 %, always."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from liftgate.config.block import Block

Share = Annotated[float, Field(gt=0, lt=1)]


class Guard(Block):
    """A metric on which the candidate must not be worse than what it is compared with."""

    metric: str
    """Name of the metric."""
    margin: Share = 0.10
    """Loss that is tolerated, as a share: 0.10 is ten points. A smaller margin needs more questions."""
    required: bool = True
    """Whether too few question families for this margin hold the candidate. If not, it counts if assessed."""


class Slice(Block):
    """A guard over the questions of one slice, such as an area or an access group."""

    name: str
    """Name of the slice, as the questions' `slices` have it."""
    metric: str
    """Name of the metric."""
    margin: Share = 0.20
    """Loss that is tolerated in the slice. Not under the guard's margin for the same metric."""
    required: bool = False
    """Whether it decides. If not, it is shown with its bounds or as not assessed, and decides nothing."""


class CommonGate(Block):
    """What the gates of knowledge bases, prompts and adapters have in common."""

    METRICS: ClassVar[frozenset[str]] = frozenset()

    floors: dict[str, Share] = {}
    """Absolute: the lower bound of the candidate's mean must reach this, for every release."""
    guards: tuple[Guard, ...] = ()
    """Metrics that must not get worse. The first one also chooses the anchor."""
    kpi: str | None = None
    """Metric that must get better, or none."""
    slices: tuple[Slice, ...] = ()
    """Slices of the questions with margins of their own."""
    max_missing_share: float = Field(default=0.02, ge=0, lt=1)
    """Share of answers that may be missing on a side before nothing is decided."""

    @model_validator(mode="after")
    def _consistent(self) -> CommonGate:
        problems = [*self._unknown_metrics(), *self._listed_twice(), *self._narrow_slices()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _unknown_metrics(self) -> list[str]:
        named = {*self.floors, *(item.metric for item in self.guards), *(item.metric for item in self.slices)}
        named |= {self.kpi} if self.kpi else set()
        known = ", ".join(sorted(self.METRICS))
        return [f"there is no metric {name!r}; choose of {known}" for name in sorted(named - self.METRICS)]

    def _listed_twice(self) -> list[str]:
        guards = [guard.metric for guard in self.guards]
        slices = [(item.name, item.metric) for item in self.slices]
        twice = sorted({str(item) for item in guards if guards.count(item) > 1})
        twice += sorted({str(item) for item in slices if slices.count(item) > 1})
        return [f"{item} is listed twice; keep one" for item in twice]

    def _narrow_slices(self) -> list[str]:
        margins = {guard.metric: guard.margin for guard in self.guards}
        return [
            f"slice {item.name!r} has margin {item.margin} on {item.metric}, under the guard's "
            f"{margins[item.metric]}; a slice has fewer questions, so give it the same margin or a wider one"
            for item in self.slices
            if item.margin < margins.get(item.metric, 0)
        ]


class Gate(CommonGate):
    """The gate of a knowledge base: retrieval must hold; nothing has to improve."""

    METRICS: ClassVar[frozenset[str]] = frozenset({"recall", "rr", "ndcg", "refusal_correct"})

    floors: dict[str, Share] = Field(default={"recall": 0.70}, min_length=1)
    """Absolute: the lower bound of the candidate's mean must reach this, for every release."""
    guards: tuple[Guard, ...] = Field(default=(Guard(metric="recall"), Guard(metric="refusal_correct")), min_length=1)
    """Metrics that must not get worse. The first one also chooses the anchor."""


class AnswerGate(CommonGate):
    """The gate of a prompt or an adapter: its KPI must improve, the answers must not get worse."""

    METRICS: ClassVar[frozenset[str]] = frozenset(
        ("schema_valid", "answer_match", "citation_correct", "groundedness", "refusal_correct")
        + ("tool_name", "tool_arguments", "label_match")
    )

    guards: tuple[Guard, ...] = Field(
        default=(
            Guard(metric="answer_match"),
            Guard(metric="citation_correct"),
            Guard(metric="groundedness"),
            Guard(metric="refusal_correct"),
        ),
        min_length=1,
    )
    """Metrics that must not get worse. The first one also chooses the anchor."""
    kpi: str = "schema_valid"
    """Metric that must get better."""
