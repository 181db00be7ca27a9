import pytest

from liftgate.errors import DocumentUnreadable
from liftgate.parsing.decoding import decode_html
from liftgate.parsing.html import parse_html

PAGE = """<html><head><title>x</title><style>p {color: red}</style></head><body>
<h1>Leave</h1><p>All staff take <b>paid</b> <a href="/form">leave</a>.</p>
<h2>Parental</h2><ul><li>tell your manager<ul><li>in writing</li></ul></li></ul>
<table><caption>Days by grade</caption><thead><tr><th>Grade</th><th>Days</th></tr></thead>
<tbody><tr><td>A</td><td>25</td></tr></tbody></table>
<details class="faq"><summary>May I split it?</summary><p>Yes, in two.</p></details>
<form><p>Ask Ann.</p></form><p>7</p><script>alert("no")</script></body></html>"""


@pytest.fixture(scope="module")
def elements():
    return parse_html(PAGE.encode(), "leave.html")


@pytest.mark.slow
def test_each_element_knows_its_section(elements):
    sections = {element.text: element.section for element in elements}
    assert sections["All staff take paid leave."] == ("Leave",)
    assert sections["in writing"] == ("Leave", "Parental")


@pytest.mark.slow
def test_table_rows_carry_their_column_names_and_the_caption_stays(elements):
    assert [element.text for element in elements if element.kind == "table"] == ["Grade: A; Days: 25"]
    assert "Days by grade" in [element.text for element in elements]


@pytest.mark.slow
def test_no_text_that_a_reader_sees_is_lost(elements):
    texts = [element.text for element in elements]
    assert texts[-4:] == ["May I split it?", "Yes, in two.", "Ask Ann.", "7"]
    assert not any("alert" in text or "color" in text for text in texts)


@pytest.mark.slow
def test_no_model_of_language_is_loaded(elements):
    from unstructured.nlp import tokenize
    from unstructured.partition.html import parser

    assert tokenize._get_nlp.cache_info().currsize == 0
    assert parser.derive_element_type_from_text("word").__name__ == "Text"


def test_declared_charset_is_heeded():
    page = '<meta charset="iso-8859-1"><p>Café</p>'
    assert "Café" in decode_html(page.encode("iso-8859-1"), "a.html")
    with pytest.raises(DocumentUnreadable, match="utf-8"):
        decode_html("<p>Café</p>".encode("iso-8859-1"), "a.html")
