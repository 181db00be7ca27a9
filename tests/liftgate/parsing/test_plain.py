from liftgate.parsing.plain import parse_plain

HANDBOOK = b"""TRAVEL POLICY

This line was wrapped by the editor at the margin
and goes on here.

Hotels
------
Up to 140 euros.

MEALS AND DRINKS

- breakfast, at
  most 12 euros
* lunch
3. dinner
-5 degrees is cold

Grade  Days that are allowed in each calendar year
A      25
B      30
"""


def elements():
    return parse_plain(HANDBOOK, "travel.txt")


def test_underlined_and_capital_lines_are_headings():
    titles = [(element.text, element.level) for element in elements() if element.kind == "title"]
    assert titles == [("TRAVEL POLICY", 1), ("Hotels", 2), ("MEALS AND DRINKS", 2)]


def test_wrapped_lines_are_joined():
    assert elements()[1].text == "This line was wrapped by the editor at the margin and goes on here."


def test_columns_keep_their_lines():
    assert elements()[-1].text.split("\n")[1:] == ["A      25", "B      30"]


def test_bullets_are_items_and_a_minus_sign_is_not_a_bullet():
    items = [element.text for element in elements() if element.kind == "list_item"]
    assert items == ["breakfast, at most 12 euros", "lunch", "3. dinner -5 degrees is cold"]


def test_sentence_in_capitals_is_no_heading():
    assert [element.kind for element in parse_plain(b"DO NOT ENTER.\n\nWhy? Danger.", "a.txt")] == ["text"] * 2
