from __future__ import annotations

import pytest

from liftgate.errors import DocumentUnreadable
from liftgate.evaluation.plain_text import comparable, plain_text, quote_stands

QUOTE = "sixteen weeks of paid leave"


def pdf(*lines: str) -> bytes:
    from fpdf import FPDF

    document = FPDF()
    document.add_page()
    document.set_font("helvetica", size=12)
    for line in lines:
        document.cell(0, 10, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())


@pytest.mark.parametrize(
    ("uri", "content"),
    [
        ("a.txt", b"Parents get sixteen weeks\r\n   of paid leave."),
        ("a.md", "\ufeff- Parents get **sixteen weeks**\n  of [paid leave](pay.md).".encode()),
        ("a.md", b"| parents | sixteen weeks of paid leave |\n|---|---|"),
        ("a.html", b"<p>Parents get <b>sixteen</b>&nbsp;weeks<br>of paid leave.</p>"),
        ("a.htm", b"<tr><td>parents</td><td>sixteen weeks of paid leave</td></tr>"),
        ("A.PDF", pdf("Parents get sixteen weeks", "of paid leave.")),
    ],
)
def test_quote_is_found_whatever_the_format(uri: str, content: bytes) -> None:
    assert quote_stands(QUOTE, plain_text(uri, content))


def test_script_and_style_are_not_text() -> None:
    text = plain_text("a.html", b"<style>sixteen</style><p>seen</p><script>weeks</script><p>too</p>")
    assert comparable(text) == "seen too"


def test_cells_and_paragraphs_do_not_run_together() -> None:
    assert comparable(plain_text("a.html", b"<td>12</td><td>days</td><p>now</p>")) == "12 days now"


@pytest.mark.parametrize("text", ["16 weeks", "sixteen weeks", "weeks: 6", "6 weekseven", ""])
def test_quote_that_is_only_part_of_other_words_is_not_found(text: str) -> None:
    assert not quote_stands("6 weeks", text)


def test_empty_quote_stands_nowhere() -> None:
    assert not quote_stands(" ** ", "anything")


def test_typographic_quotes_dashes_and_ligatures_are_equal_to_plain_ones() -> None:
    assert quote_stands("the “oﬃce” – 9 to 5", 'The "office" - 9 to 5')


def test_broken_pdf_is_named() -> None:
    with pytest.raises(DocumentUnreadable, match=r"pay\.pdf"):
        plain_text("pay.pdf", b"not a pdf")
