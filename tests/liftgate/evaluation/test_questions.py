from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from liftgate.errors import ConfigurationError
from liftgate.evaluation.families import read_families
from liftgate.evaluation.forms import Call
from liftgate.evaluation.questions import (
    Question,
    crossing_families,
    digest,
    family_problems,
    read_questions,
    status,
)
from liftgate.fingerprints import fingerprint

ANSWER = {
    "id": "q1",
    "question": "How long is the leave?",
    "family": "leave",
    "groups": ["staff"],
    "expected": "answer",
    "sources": ["hr/leave.md"],
    "quote": "sixteen weeks of paid leave",
    "must_contain": [["sixteen weeks", "16 weeks"]],
    "slices": ["hr"],
    "judged": ["retrieval", "answers"],
}
REFUSE = {
    "id": "q2",
    "question": "What does the director earn?",
    "family": "pay",
    "groups": ["staff"],
    "expected": "refuse",
    "why": "hidden",
    "sources": ["finance/pay.md"],
    "quote": "",
    "must_contain": [],
    "judged": ["retrieval"],
}


def write(folder: Path, *lines: object) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def question(**changes: object) -> Question:
    made = Question("q1", "How long?", "leave", "answer", sources=("hr/leave.md",), quote="sixteen weeks")
    return replace(made, **changes)  # type: ignore[arg-type]


def test_questions_are_read_as_written(tmp_path: Path) -> None:
    first, second = read_questions(write(tmp_path, ANSWER, "", REFUSE))
    assert first.must_contain == (("sixteen weeks", "16 weeks"),)
    assert first.answerable
    assert (second.why, second.answerable, second.slices) == ("hidden", False, ())


def test_all_errors_are_listed_at_once_with_their_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        ANSWER,
        "{broken",
        {**ANSWER, "id": "q3", "expected": "anwser", "groups": "staff"},
        {**ANSWER, "id": "q4", "quote": "", "sources": [], "must_contain": []},
        {**REFUSE, "why": None},
        {**REFUSE, "id": "q6", "sources": [], "extra": 1},
        ANSWER,
    )
    with pytest.raises(ConfigurationError) as error:
        read_questions(path)
    message = str(error.value)
    for part in (
        "line 2: not JSON",
        "line 3: field expected",
        "line 3: field groups",
        "line 4: it is answerable and has no sources",
        "line 4: it is answerable and has no quote",
        "line 4: its answers are judged and it has no must_contain",
        "line 5: it must be refused and has no `why`",
        "line 6: unknown field 'extra'",
        "line 6: it is hidden and has no sources",
        "line 7: id 'q1' is also on line 1",
    ):
        assert part in message


CALL = {"name": "book_room", "arguments": {"room": "R-12", "hours": 2}}


def test_question_may_expect_a_call_or_a_label_in_place_of_a_text(tmp_path: Path) -> None:
    plain = {name: value for name, value in ANSWER.items() if name != "must_contain"}
    path = write(tmp_path, {**plain, "call": CALL}, {**plain, "id": "q2", "label": "facilities"})
    called, labelled = read_questions(path)
    assert called.call == Call("book_room", {"room": "R-12", "hours": 2})
    assert labelled.label == "facilities"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"call": CALL}, "more than one of must_contain, call and label"),
        ({"must_contain": [], "call": {"name": "book_room"}}, "field call.arguments: Field required"),
        ({"must_contain": [], "call": {**CALL, "args": {}}}, "field call.args: Unexpected keyword argument"),
        ({"must_contain": [], "call": {**CALL, "name": " "}}, "expected the name of a tool"),
        ({"must_contain": [], "call": "book_room"}, "field call: "),
        ({"must_contain": [], "label": " "}, "its label is empty"),
        ({**REFUSE, "label": "pay"}, "must be refused and has a call or label"),
    ],
)
def test_call_or_label_that_cannot_be_judged_is_named(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_questions(write(tmp_path, {**ANSWER, **changes}))


def test_fields_that_came_later_change_no_digest_of_questions_without_them() -> None:
    """Else an upgrade would have every candidate judged again."""
    told = asdict(question())
    assert told.pop("call") is told.pop("label") is None
    assert digest([question()]) == fingerprint([told])
    assert digest([question(label="pay")]) != digest([question()])


@pytest.mark.parametrize("lines", [[], [""]])
def test_empty_file_is_an_error(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="there is no question"):
        read_questions(write(tmp_path, *lines))


def test_missing_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"none\.jsonl"):
        read_questions("none.jsonl")


def test_digest_changes_with_a_question_and_not_with_the_order() -> None:
    first, second = question(), question(id="q2")
    assert digest([first, second]) == digest([second, first])
    assert digest([first]) != digest([question(quote="eighteen weeks")])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["It is sixteen\nweeks."], "counts"),
        (["It is eighteen weeks."], "needs_review"),
        ([None], "document_deleted"),
        (["It is eighteen weeks.", "It is sixteen weeks."], "counts"),
        ([None, "It is sixteen weeks."], "counts"),
    ],
)
def test_question_counts_while_its_quote_stands_in_a_source(texts: list[str | None], expected: str) -> None:
    assert status(question(sources=("a.md", "b.md")[: len(texts)]), texts) == expected


def test_question_needs_review_once_access_makes_the_expected_answer_wrong() -> None:
    hidden = question(expected="refuse", why="hidden", quote="")
    assert status(hidden, ["text"], asker_may_read=False) == "counts"
    assert status(hidden, ["text"], asker_may_read=True) == "needs_review"
    assert status(question(), ["sixteen weeks"], asker_may_read=False) == "needs_review"


def test_question_about_nothing_in_the_corpus_always_counts() -> None:
    assert status(question(expected="refuse", why="absent", sources=(), quote=""), []) == "counts"


def test_families_are_found_by_uri_and_glob(tmp_path: Path) -> None:
    path = tmp_path / "families.yaml"
    path.write_text("leave: [hr/leave/*, hr/old-leave.md]\npay: [finance/pay.md]\n")
    families = read_families(path)
    assert families.of("hr/leave/parental.md") == "leave"
    assert families.of("hr/old-leave.md") == "leave"
    assert families.of("it/vpn.md") == "it/vpn.md"
    assert families.claimed_twice(["hr/leave/a.md"]) == []


def test_families_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "families.yaml"
    path.write_text("leave: hr/leave.md\n")
    with pytest.raises(ConfigurationError, match=r"leave: \[hr"):
        read_families(path)


def test_family_that_tuning_also_uses_is_found_through_its_sources(tmp_path: Path) -> None:
    path = tmp_path / "families.yaml"
    path.write_text("leave: [hr/leave/*]\n")
    families = read_families(path)
    golden = [question(family="leave", sources=("hr/leave/a.md",))]
    tuning = [question(family="holidays", sources=("hr/leave/b.md",))]
    assert crossing_families(golden, tuning, families) == ["leave"]
    assert crossing_families(golden, [question(family="vpn", sources=("it/vpn.md",))], families) == []


def test_question_must_name_the_family_of_its_sources(tmp_path: Path) -> None:
    families = read_families(None)
    assert family_problems([question(family="hr/leave.md")], families) == []
    assert "use that" in family_problems([question(family="leave")], families)[0]
