"""What the operator that asks makes of an answer, as Airflow hands it over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from liftgate.config.approval import Approval
from liftgate_airflow.operators.approval import WaitForAnswer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Ti:
    """What a task instance has kept while its task waited."""

    kept = {("wait_for_answer", "evaluation"): 7}

    def xcom_pull(self, task_ids: str, key: str) -> int:
        return self.kept[task_ids, key]


@pytest.mark.parametrize(("user", "by"), [({"id": "7", "name": "ada"}, "ada"), (None, "")], ids=["a person", "nobody"])
def test_an_answer_says_what_to_which_evidence_by_whom_and_when(user: dict[str, str] | None, by: str) -> None:
    event: dict[str, Any] = {"chosen_options": ["hold"], "params_input": {}, "responded_at": NOON}
    context: Any = {"ti": Ti()}
    operator = WaitForAnswer(kb="small", approval=Approval())
    found = operator.execute_complete(context, {**event, "responded_by_user": user})
    assert found == {"answer": "hold", "by": by, "at": NOON.isoformat(), "evaluation": 7}
