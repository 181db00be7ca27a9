from __future__ import annotations

import json
from pathlib import Path

import pytest

from liftgate.errors import ConfigurationError
from liftgate.gate.cheap import as_schema, cites, gate_rows, groundedness

CONTEXT = "Parents receive sixteen weeks of paid leave."
GOOD = {
    "summary": "Parents receive sixteen weeks of paid leave.",
    "risk": "low",
    "next_steps": [],
    "citations": ["doc:hr.leave.md"],
}


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def row(answer: object = GOOD, **more: object) -> dict[str, object]:
    return {"question": "How long is the leave?", "context": CONTEXT, "answer": answer, **more}


@pytest.mark.parametrize(("bad", "code"), [(0, 0), (1, 0), (2, 1)])
def test_more_than_five_percent_failing_rows_fail_the_gate(tmp_path: Path, bad: int, code: int) -> None:
    rows = [row("I do not know.")] * bad + [row()] * (20 - bad)
    assert gate_rows(write(tmp_path, rows)).exit_code == code


def test_conditions_are_counted_each_on_its_own(tmp_path: Path) -> None:
    """One row without a citation and one without a risk: each condition is failed by one of twenty."""
    uncited, no_risk = {**GOOD, "citations": []}, {k: v for k, v in GOOD.items() if k != "risk"}
    report = gate_rows(write(tmp_path, [row(uncited), row(no_risk), *[row()] * 18]))
    assert report.failed == {"citation": (1,), "groundedness": (), "schema": (2,)}
    assert report.exit_code == 0


def test_answer_may_be_text_or_an_object(tmp_path: Path) -> None:
    report = gate_rows(write(tmp_path, [row(GOOD), row(json.dumps(GOOD))]))
    assert report.exit_code == 0
    assert report.rows == 2


def test_rows_to_be_refused_are_left_out(tmp_path: Path) -> None:
    report = gate_rows(write(tmp_path, [row(), row("Not in the handbook.", expected="refuse")]))
    assert (report.rows, report.refusals_left_out, report.exit_code) == (1, 1, 0)


def test_no_rows_is_an_exit_code_of_its_own(tmp_path: Path) -> None:
    assert gate_rows(write(tmp_path, [])).exit_code == 2
    assert gate_rows(write(tmp_path, [row(expected="refuse")])).exit_code == 2


def test_broken_lines_are_all_named_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(json.dumps(row()).encode() + b'\n{"question"\n\n[1]\n{"question": "q"}\n\xff\n')
    with pytest.raises(ConfigurationError) as error:
        gate_rows(path)
    message = str(error.value)
    assert "4 broken lines" in message
    for part in (
        "line 2: not JSON",
        "line 4: expected an object",
        "line 5: without context, answer",
        "line 6",
    ):
        assert part in message


def test_missing_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"no-such\.jsonl"):
        gate_rows("no-such.jsonl")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("It is so [doc:hr.leave-2_a].", True),
        ("It is so [kb:12].", True),
        ("It is so [doc:].", False),
        ("It is so [doc:hr/leave].", False),
        ("It is so (doc:hr).", False),
        ('{"citations": ["doc:hr"]}', True),
        ('{"citations": []}', False),
    ],
)
def test_citations(answer: str, found: bool) -> None:
    assert cites(answer) is found


def test_groundedness_counts_distinct_words_of_three_or_more() -> None:
    assert groundedness("Paid leave, PAID leave of 30 days; 120!", "paid 120") == pytest.approx(2 / 4)
    assert groundedness("a of 30", "a of 30") == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        "```json\n" + json.dumps(GOOD) + "\n```",
        json.dumps({**GOOD, "risk": 3}),
        json.dumps({**GOOD, "next_steps": "none"}),
        json.dumps({**GOOD, "citations": [1]}),
        json.dumps([GOOD]),
        json.dumps(GOOD) + " Done.",
        "",
    ],
)
def test_only_the_bare_object_keeps_the_schema(answer: str) -> None:
    assert as_schema(answer) is None
    assert as_schema("\n " + json.dumps({**GOOD, "more": 1}) + "\n") is not None
