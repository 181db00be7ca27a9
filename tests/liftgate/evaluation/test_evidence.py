from __future__ import annotations

import pytest

from liftgate.errors import EvidenceRefused
from liftgate.evaluation.evidence import Comparison, Row, require_one_component

LIVE = {
    "retrieval": "r1",
    "prompt": "p1",
    "adapter": "none",
    "questions": "q1",
    "judge": "none",
    "decoding": "d1",
    "access": "a1",
}


def test_sides_that_differ_in_the_component_under_test_alone_are_compared() -> None:
    require_one_component("prompt", {"candidate": {**LIVE, "prompt": "p2"}, "baseline": LIVE})


@pytest.mark.parametrize("other", ["retrieval", "adapter", "questions", "judge", "decoding", "access"])
def test_sides_that_differ_in_anything_else_are_refused_by_name(other: str) -> None:
    candidate = {**LIVE, "prompt": "p2", other: "changed"}
    with pytest.raises(EvidenceRefused, match=rf"also differ in {other} \(baseline"):
        require_one_component("prompt", {"candidate": candidate, "baseline": LIVE})


def test_what_a_side_does_not_say_counts_as_a_difference() -> None:
    untold = {name: value for name, value in LIVE.items() if name != "access"}
    with pytest.raises(EvidenceRefused, match="access"):
        require_one_component("prompt", {"candidate": untold, "baseline": untold})


def test_anchor_is_compared_as_a_whole_but_under_the_same_conditions() -> None:
    anchor = {**LIVE, "retrieval": "r0", "prompt": "p0", "adapter": "a0"}
    require_one_component("retrieval", {"candidate": LIVE, "baseline": LIVE, "anchor": anchor})
    with pytest.raises(EvidenceRefused, match="access"):
        require_one_component("retrieval", {"candidate": LIVE, "anchor": {**anchor, "access": "a0"}})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([Row("candidate", "q1", "f", "recall", 1.0)] * 2, "found two"),
        ([Row("candidate", "q1", "f", "recall", 1.2)], "from 0 to 1"),
        ([Row("candidate", "q1", "f", "recall", float("nan"))], "from 0 to 1"),
        ([Row("candidate", "q1", "f", "recall", 1.0), Row("candidate", "q1", "g", "rr", 1.0)], "one family"),
    ],
)
def test_rows_that_would_make_the_bounds_wrong_are_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(EvidenceRefused, match=message):
        Comparison("retrieval", {"candidate": LIVE}, tuple(rows))
