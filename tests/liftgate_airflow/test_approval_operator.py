"""What the operator that asks makes of an answer, as Airflow hands it over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from liftgate.config.approval import Approval
from liftgate_airflow.operators.approval import WaitForAnswer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("user", "by"), [({"id": "7", "name": "ada"}, "ada"), (None, "")], ids=["a person", "nobody"])
def test_an_answer_says_what_by_whom_and_when(user: dict[str, str] | None, by: str) -> None:
    event: dict[str, Any] = {"chosen_options": ["hold"], "params_input": {}, "responded_at": NOON}
    found = WaitForAnswer(kb="small", approval=Approval()).execute_complete({}, {**event, "responded_by_user": user})
    assert found == {"answer": "hold", "by": by, "at": NOON.isoformat()}
