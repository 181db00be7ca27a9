"""Evidence as it is stored, and the verdict computed from it again."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from liftgate.evaluation.evidence import Comparison
from liftgate.gate.decision import decide
from liftgate.gate.policy import Policy
from liftgate.gate.verdict import Verdict


def evidence_json(policy: Policy, evidence: Comparison) -> dict[str, Any]:
    """All that a verdict depends on, as values that JSON can hold."""
    return {
        "policy": _policies().dump_python(policy, mode="json"),
        "comparison": _comparisons().dump_python(evidence, mode="json"),
    }


def read_evidence(stored: dict[str, Any]) -> tuple[Policy, Comparison]:
    """What evidence_json wrote; refused like fresh evidence if it is not sound."""
    policy = _policies().validate_python(stored["policy"])
    return policy, _comparisons().validate_python(stored["comparison"])


def replay(stored: dict[str, Any]) -> Verdict:
    """The verdict on stored evidence. Equal to the stored verdict, unless somebody changed one of them."""
    return decide(*read_evidence(stored))


@cache
def _policies() -> TypeAdapter[Policy]:
    return TypeAdapter(Policy)


@cache
def _comparisons() -> TypeAdapter[Comparison]:
    return TypeAdapter(Comparison)
