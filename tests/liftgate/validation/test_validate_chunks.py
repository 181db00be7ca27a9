import json

import pytest

from liftgate.config.validation import Validation
from liftgate.errors import ValidationFailed
from liftgate.validation import Report, validate_chunks

pytestmark = pytest.mark.slow

SECRET = "The salary of the director"


def rows(**changes):
    sound = [
        {
            "chunk_id": f"c{number}",
            "doc_id": f"d{number % 10}",
            "section": "Pay",
            "groups": ["staff"],
            "text": f"{SECRET} {number}",
            "tokens": 20,
            "norm": 1.0,
        }
        for number in range(60)
    ]
    return [{**sound[0], **changes}, *sound[1:]]


def validated(found, folder, **changes) -> Report:
    arguments = {"max_tokens": 50, "quarantined_share": 0.0, "docs_folder": folder, **changes}
    return validate_chunks(found, Validation(), **arguments)


def test_sound_chunks_pass_and_the_docs_can_be_opened(tmp_path):
    report = validated(rows(), tmp_path)
    assert report.passed
    assert report.raise_if_failed() is report
    assert report.rows == 60
    assert (tmp_path / "index.html").is_file()


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("chunk_id", "c1", "id stands once"),
        ("doc_id", "", "names its document"),
        ("section", None, "names its section"),
        ("groups", [], "group that may read it"),
        ("text", " ", "has text"),
        ("tokens", 51, "1 to 50 tokens"),
        ("norm", 0.9, "length 1"),
        ("norm", float("nan"), "has a length"),
    ],
)
def test_one_bad_row_fails_its_expectation_and_is_named(tmp_path, column, value, sentence):
    report = validated(rows(**{column: value}), tmp_path)
    (failure,) = [one for one in report.expected if sentence in one.sentence]
    assert not failure.passed
    assert failure.failed >= 1
    assert ("c1" if column == "chunk_id" else "c0") in failure.sample_ids
    with pytest.raises(ValidationFailed, match="Expected: .*; found"):
        report.raise_if_failed()


def test_whole_table_bounds(tmp_path):
    assert not validated([], tmp_path / "none").passed
    assert not validated(rows(), tmp_path / "quarantined", quarantined_share=0.06).passed
    crumbs = [{**row, "tokens": 2} for row in rows()]
    assert [one.observed for one in validated(crumbs, tmp_path / "crumbs").expected if not one.passed] == [2]


def test_repeated_texts_are_counted_within_a_document_only(tmp_path):
    everywhere = [{**row, "doc_id": row["chunk_id"], "text": "same"} for row in rows()]
    within = [{**row, "text": "same"} for row in rows()]
    assert validated(everywhere, tmp_path / "a").passed
    (failure,) = [one for one in validated(within, tmp_path / "b").expected if not one.passed]
    assert (failure.column, failure.failed) == ("first_of_its_text", 50)


def test_neither_report_nor_docs_hold_a_text(tmp_path):
    report = validated(rows(tokens=99, norm=0.1, groups=[]), tmp_path)
    pages = [page.read_text() for page in tmp_path.rglob("*.html")]
    assert any("c0" in page for page in pages)
    assert not any(SECRET in text for text in [*pages, json.dumps(report.as_json()), report.message()])
