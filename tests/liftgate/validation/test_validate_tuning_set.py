import json

import pytest

from liftgate.config.validation import Validation
from liftgate.validation import Report, validate_tuning_set

pytestmark = pytest.mark.slow

SETTINGS = Validation(min_examples=20, max_example_tokens=300)


def example(number: int, completion: str | None = None, **changes):
    refuses = number % 4 == 0
    answer = {"summary": "Yes.", "risk": "None.", "next_steps": [], "citations": ["doc:hr.leave.md"]}
    said = completion or ("I cannot find that." if refuses else json.dumps(answer))
    return {
        "id": f"t{number}",
        "messages": [{"role": "user", "content": f"Q{number}"}, {"role": "assistant", "content": said}],
        "expected": "refuse" if refuses else "answer",
        "context_ids": ["hr.leave.md", "hr.pay.md"],
        "tokens": 120,
        "open": True,
        "golden_family": False,
        **changes,
    }


def validated(first, folder) -> Report:
    return validate_tuning_set([first, *(example(n) for n in range(2, 42))], SETTINGS, docs_folder=folder)


def test_sound_tuning_set_passes(tmp_path):
    report = validated(example(1), tmp_path)
    assert report.passed, report.message()


CALL = '{"name": "open_ticket", "arguments": {"team": "it"}}'


def test_calls_and_labels_are_forms_of_their_own(tmp_path):
    call, label = example(1, CALL, form="call"), example(43, "payroll", form="label")
    rows = [call, label, *(example(number) for number in range(2, 42))]
    report = validate_tuning_set(rows, SETTINGS, docs_folder=tmp_path)
    assert report.passed, report.message()


CITES = '{"summary": "a", "risk": "b", "next_steps": [], "citations": [%s]}'


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (example(1, "not JSON [doc:hr.leave.md]"), "keeps_its_form"),
        (example(1, CALL.replace("arguments", "args"), form="call"), "keeps_its_form"),
        (example(1, CITES % '"doc:hr.secret.md"'), "cites_its_context"),
        (example(1, CITES % ""), "cites_its_context"),
        (example(1, messages=[{"role": "user", "content": "Q"}]), "two_turns"),
        (example(1, tokens=301), "tokens"),
        (example(1, open=False), "open"),
        (example(1, golden_family=True), "golden_family"),
        ({**example(2), "id": "t1"}, "first_of_its_text"),
        (example(1, id="t2"), "id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_bad_example_fails_and_is_named(tmp_path, bad, column):
    failures = {one.column: one for one in validated(bad, tmp_path).expected if not one.passed}
    assert column in failures
    assert failures[column].sample_ids


def test_too_few_examples_and_too_many_refusals_fail(tmp_path):
    refusals = [example(4 * number) for number in range(10)]
    report = validate_tuning_set(refusals, SETTINGS, docs_folder=tmp_path)
    failed = [one.expectation for one in report.expected if not one.passed]
    assert failed == ["expect_table_row_count_to_be_between", "expect_column_mean_to_be_between"]
