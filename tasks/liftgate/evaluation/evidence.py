"""What a verdict is computed from: one row per question, metric and side, and what both sides are made of.

Metrics lie between 0 and 1, and more is better. A metric that does not apply to a question (answer match
for a question that must be refused) has no row on any side; an answer that is missing has a row with None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from liftgate.errors import EvidenceRefused

Component = Literal["retrieval", "prompt", "adapter"]
Side = Literal["candidate", "baseline", "live", "anchor"]
"""The baseline of an adapter is prompt-only RAG; `live` is then the adapter that is live, if there is one."""

COMPONENTS: tuple[str, ...] = ("retrieval", "prompt", "adapter")
CONDITIONS: tuple[str, ...] = ("questions", "judge", "decoding", "access")
"""What must be equal on every side, the anchor included, whatever is under test."""


@dataclass(frozen=True)
class Row:
    """One measurement. value None: the side gave no answer; the gate counts it against the candidate."""

    side: Side
    question: str
    family: str
    metric: str
    value: float | None
    slices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The whole evidence of one verdict.

    Example of made_of:
    {"candidate": {"retrieval": "r2", "prompt": "p1", "adapter": "none",
                   "questions": "q1", "judge": "none", "decoding": "d1", "access": "a1"},
     "baseline":  {"retrieval": "r1", "prompt": "p1", ...}}
    The first release has a candidate only.
    """

    component: Component
    made_of: dict[str, dict[str, str]]
    rows: tuple[Row, ...]
    data_quality: bool | None = None
    """Did the expectation suite pass? None: this component has none (a prompt)."""
    leaks: tuple[str, ...] = ()
    """Question and chunk of everything that was retrieved and must not have been."""
    set_aside: tuple[str, ...] = ()
    """Questions that did not count, each with the reason, for the report."""
    notes: tuple[str, ...] = ()
    """What could not be measured and why, such as an anchor whose embedder is gone."""

    def __post_init__(self) -> None:
        _refuse_bad_rows(self.rows)
        require_one_component(self.component, self.made_of)


def require_one_component(component: str, made_of: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse sides that differ in more than the component under test.

    The anchor may differ in every component, since it is compared as a whole, but in no condition.
    Example: under test is the prompt, and retrieval differs as well -> EvidenceRefused names retrieval.
    """
    if "candidate" not in made_of:
        raise EvidenceRefused("Expected what the candidate is made of, found nothing. Add made_of['candidate'].")
    differing = _differences(component, made_of)
    if differing:
        raise EvidenceRefused(
            f"Expected the sides to differ in {component} alone, found that they also differ in "
            f"{', '.join(differing)}. Evaluate both sides again under the same conditions, and change one "
            "component at a time."
        )


def _differences(component: str, made_of: Mapping[str, Mapping[str, str]]) -> list[str]:
    candidate = made_of["candidate"]
    found = []
    for side in sorted(set(made_of) - {"candidate"}):
        held = CONDITIONS if side == "anchor" else tuple(c for c in COMPONENTS if c != component) + CONDITIONS
        for name in held:
            if name not in candidate or candidate[name] != made_of[side].get(name):
                found.append(f"{name} ({side}: {made_of[side].get(name)}, candidate: {candidate.get(name)})")
    return found


def _refuse_bad_rows(rows: tuple[Row, ...]) -> None:
    """A value outside 0 to 1, a question measured twice, or in two families, would make the bounds wrong."""
    seen: set[tuple[str, str, str]] = set()
    families: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        key = (row.side, row.question, row.metric)
        if key in seen:
            raise EvidenceRefused(f"Expected one row for {key}, found two. Write each measurement once.")
        if row.value is not None and not 0.0 <= row.value <= 1.0:
            raise EvidenceRefused(
                f"Expected a value from 0 to 1 for {key}, found {row.value}. Scale the metric, or write None "
                "if the answer is missing."
            )
        seen.add(key)
        families[row.question].add(row.family)
    torn = sorted(question for question, names in families.items() if len(names) > 1)
    if torn:
        raise EvidenceRefused(
            f"Expected every question in one family, found several for {', '.join(torn[:10])}. "
            "Take the family from the question file on every side."
        )
