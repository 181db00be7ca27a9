from __future__ import annotations

import json
from typing import Any

import pytest

from liftgate.evaluation.forms import Call, as_call, calls_rightly, is_label, macro_f1, names_the_tool

WANTED = Call("book_room", {"room": "R-12", "hours": 2, "catering": False, "guests": ["Ada", "Bo"]})


def call(name: str = "book_room", **changes: Any) -> str:
    return json.dumps({"name": name, "arguments": {**WANTED.arguments, **changes}})


def test_answer_as_a_model_should_write_it_is_the_call() -> None:
    assert as_call(WANTED.as_answer()) == WANTED
    assert names_the_tool(WANTED.as_answer(), WANTED)
    assert calls_rightly(WANTED.as_answer(), WANTED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "book_room(R-12)",
        '{"name": "book_room", "arguments": {"room": "R-12"}',
        f"```json\n{call()}\n```",
        f"Here it is: {call()}",
        f"[{call()}]",
        '{"name": "book_room"}',
        '{"name": ["book_room"], "arguments": {}}',
        '{"name": "", "arguments": {}}',
        '{"name": "book_room", "arguments": "R-12"}',
        '{"name": "book_room", "arguments": ["R-12"]}',
        '{"name": "book_room", "arguments": null}',
        "[" * 100_000,
    ],
)
def test_what_is_not_exactly_one_call_is_no_call(text: str) -> None:
    assert as_call(text) is None
    assert not names_the_tool(text, WANTED)
    assert not calls_rightly(text, WANTED)


def test_keys_beside_the_call_do_not_spoil_it() -> None:
    assert calls_rightly(json.dumps({**json.loads(call()), "citations": ["doc:a"]}), WANTED)


@pytest.mark.parametrize("name", ["Book_Room", "book_room ", "bookroom", "cancel_room"])
def test_name_of_the_tool_counts_with_its_case(name: str) -> None:
    assert not names_the_tool(call(name), WANTED)
    assert not calls_rightly(call(name), WANTED)


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({"room": "r-12"}, True),
        ({"room": " R-12\n"}, True),
        ({"room": "Ｒ-12"}, True),
        ({"room": "R12"}, False),
        ({"room": "R-13"}, False),
        ({"hours": 2.0}, True),
        ({"hours": "2"}, False),
        ({"hours": 2.5}, False),
        ({"hours": None}, False),
        ({"catering": 0}, False),
        ({"catering": "false"}, False),
        ({"guests": ["ada", "BO"]}, True),
        ({"guests": ["Bo", "Ada"]}, False),
        ({"guests": ["Ada"]}, False),
        ({"guests": {"0": "Ada", "1": "Bo"}}, False),
        ({"chairs": 4}, False),
        ({"chairs": None}, False),
        ({"ROOM": "R-12"}, False),
    ],
)
def test_arguments_are_equal_in_value_and_kind(changes: dict[str, Any], right: bool) -> None:
    assert names_the_tool(call(**changes), WANTED)
    assert calls_rightly(call(**changes), WANTED) is right


def test_argument_that_is_missing_is_wrong_and_order_is_not() -> None:
    few = json.dumps({"name": "book_room", "arguments": {"room": "R-12"}})
    turned = json.dumps({"arguments": dict(reversed(WANTED.arguments.items())), "name": "book_room"})
    assert (calls_rightly(few, WANTED), calls_rightly(turned, WANTED)) == (False, True)


def test_objects_within_arguments_are_compared_whole() -> None:
    wanted = Call("move", {"to": {"city": "Lisbon", "floors": [1, {"wing": "East"}]}})
    right = '{"name": "move", "arguments": {"to": {"floors": [1, {"wing": "east"}], "city": "lisbon"}}}'
    assert calls_rightly(right, wanted)
    assert not calls_rightly(right.replace('"wing"', '"side"'), wanted)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("it_support", True),
        (" IT_Support\n", True),
        ("**it_support**.", True),
        ('"it_support"', True),
        ("it support", False),
        ("it_support or payroll", False),
        ("The label is it_support", False),
        ('{"label": "it_support"}', False),
        ("payroll", False),
        ("", False),
    ],
)
def test_label_is_the_whole_answer(text: str, right: bool) -> None:
    assert is_label(text, "it_support") is right


def test_macro_f1_is_that_of_scikit_learn() -> None:
    """Where each answer is a label, the two may be compared."""
    metrics = pytest.importorskip("sklearn.metrics")
    expected, found = list("aaabbbccd"), list("aabbbcaad")
    ours = macro_f1(list(zip(expected, found, strict=True)))
    assert ours == pytest.approx(metrics.f1_score(expected, found, average="macro"))


def test_macro_f1_counts_an_answer_that_is_no_label_as_a_miss_of_the_expected_one() -> None:
    pairs = [("a", "a"), ("a", "b"), ("b", "b"), ("b", "so b")]
    assert macro_f1(pairs) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert macro_f1([("a", None), ("A", "a.")]) == pytest.approx(2 / 3)
    assert macro_f1([("a", None)]) == 0.0
