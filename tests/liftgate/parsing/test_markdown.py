from liftgate.parsing.markdown import parse_markdown

LEAVE = b"""---
owner: HR
---
# Leave policy

All staff take [leave](https://intranet.example/leave).
It is `paid`.

## Parental leave

Staff get **sixteen weeks** of leave.

- tell your manager
  - in writing
- fill in the form

1. first
2. second

| Grade | Days |
|-------|------|
| A     | 25   |
| B     |      |

```
code  here
```

## Sick leave

> Call <b>before</b> nine.
"""


def elements():
    return parse_markdown(LEAVE, "leave.md")


def test_each_element_knows_its_section():
    sections = {element.text: element.section for element in elements()}
    assert sections["Staff get sixteen weeks of leave."] == ("Leave policy", "Parental leave")
    assert sections["Call before nine."] == ("Leave policy", "Sick leave")


def test_markup_is_gone_and_link_texts_stay():
    assert elements()[2].text == "All staff take leave. It is paid."


def test_list_items_keep_their_depth_and_numbers():
    items = [(element.text, element.level) for element in elements() if element.kind == "list_item"]
    assert items == [
        ("tell your manager", 1),
        ("in writing", 2),
        ("fill in the form", 1),
        ("1. first", 1),
        ("2. second", 1),
    ]


def test_table_rows_carry_their_column_names():
    rows = [element.text for element in elements() if element.kind == "table"]
    assert rows == ["Grade: A; Days: 25", "Grade: B; Days:"]


def test_front_matter_is_text_and_no_heading():
    assert (elements()[0].kind, elements()[0].text, elements()[0].section) == ("text", "owner: HR", ())


def test_code_keeps_its_spaces():
    assert [element.text for element in elements() if element.kind == "code"] == ["code  here"]


def test_raw_html_leaves_its_text():
    found = parse_markdown(b"<div>\nAsk <i>Ann</i>\n</div>\n\nor\n<br>Bob", "a.md")
    assert [" ".join(element.text.split()) for element in found] == ["Ask Ann", "or Bob"]
