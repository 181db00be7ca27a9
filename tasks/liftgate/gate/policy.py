"""A policy for each kind of candidate: which checks decide about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from liftgate.config.gate import AnswerGate, CommonGate, Gate
from liftgate.evaluation.evidence import Component

Kind = Literal["first", "knowledge_base", "prompt", "adapter"]

COMPONENT_OF: dict[Kind, Component] = {
    "first": "retrieval",
    "knowledge_base": "retrieval",
    "prompt": "prompt",
    "adapter": "adapter",
}


@dataclass(frozen=True)
class Limit:
    """A loss that is tolerated on a metric, over all questions or over one slice of them."""

    metric: str
    margin: float
    required: bool
    slice: str | None = None


@dataclass(frozen=True)
class Policy:
    """What decides about one kind of candidate; stored with the evidence, so that it can be replayed."""

    kind: Kind
    floors: dict[str, float]
    guards: tuple[Limit, ...]
    kpi: str | None
    slices: tuple[Limit, ...]
    max_missing_share: float
    needs_data_quality: bool

    @property
    def component(self) -> Component:
        """The one component that may differ from the baseline."""
        return COMPONENT_OF[self.kind]


def first_release(gate: Gate) -> Policy:
    """Floors only: nothing is live that it could be compared with."""
    return Policy("first", dict(gate.floors), (), None, (), gate.max_missing_share, needs_data_quality=True)


def knowledge_base(gate: Gate) -> Policy:
    """Documents or retrieval settings changed: not worse than live."""
    return _compared("knowledge_base", gate, needs_data_quality=True)


def prompt(gate: AnswerGate) -> Policy:
    """Not worse than the live prompt, and better on the KPI. No data was built, so no suite ran."""
    return _compared("prompt", gate, needs_data_quality=False)


def adapter(gate: AnswerGate) -> Policy:
    """Better than prompt-only RAG on the KPI, not worse on the guards, and not worse than a live adapter."""
    return _compared("adapter", gate, needs_data_quality=True)


def gone_back(kind: Literal["prompt", "adapter"], gate: AnswerGate) -> Policy:
    """Not worse than what was live before a rollback took an earlier prompt or adapter; it claims nothing better."""
    return _compared(kind, gate, needs_data_quality=False)


def _compared(kind: Kind, gate: CommonGate, needs_data_quality: bool) -> Policy:
    return Policy(
        kind=kind,
        floors=dict(gate.floors),
        guards=tuple(Limit(item.metric, item.margin, item.required) for item in gate.guards),
        kpi=gate.kpi,
        slices=tuple(Limit(item.metric, item.margin, item.required, item.name) for item in gate.slices),
        max_missing_share=gate.max_missing_share,
        needs_data_quality=needs_data_quality,
    )
