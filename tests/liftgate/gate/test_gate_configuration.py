from __future__ import annotations

import pytest
from pydantic import ValidationError

from liftgate.config.gate import AnswerGate, Gate
from liftgate.gate.policy import adapter, knowledge_base


def test_unknown_metric_is_refused_with_the_choices() -> None:
    with pytest.raises(ValidationError, match="no metric 'recal'; choose of ndcg, recall"):
        Gate.model_validate({"guards": [{"metric": "recal"}]})


def test_slice_stricter_than_its_guard_is_refused() -> None:
    with pytest.raises(ValidationError, match="same margin or a wider one"):
        Gate.model_validate({"slices": [{"name": "hr", "metric": "recall", "margin": 0.05}]})


def test_guard_listed_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="recall is listed twice"):
        Gate.model_validate({"guards": [{"metric": "recall"}, {"metric": "recall", "margin": 0.2}]})


@pytest.mark.parametrize("gate", [{"floors": {}}, {"guards": []}, {"confidence": 0.9}, {"floors": {"recall": 1.0}}])
def test_gate_that_would_let_everything_pass_is_refused(gate: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(gate)


def test_adapter_has_the_guards_of_answers_and_a_kpi_unless_they_are_set() -> None:
    policy = adapter(AnswerGate.model_validate({"floors": {"schema_valid": 0.8}}))
    guards = [limit.metric for limit in policy.guards]
    assert guards == ["answer_match", "citation_correct", "groundedness", "refusal_correct"]
    assert policy.kpi == "schema_valid"
    assert knowledge_base(Gate()).kpi is None
