import io
import subprocess
import sys
import zlib

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from liftgate.errors import DocumentUnreadable
from liftgate.parsing import pdf as pdf_module
from liftgate.parsing.pdf import parse_pdf

MOST_BYTES = 20_000_000


def write(pdf: FPDF, text: str, size: int = 11, style: str = "") -> None:
    pdf.set_font("Helvetica", style, size)
    pdf.multi_cell(0, size * 0.55, text, new_x="LMARGIN", new_y="NEXT")


def handbook() -> bytes:
    pdf = FPDF()
    pdf.add_page()
    write(pdf, "Expense policy of all offices and of everybody who works from home", 20, "B")
    write(pdf, "All staff may claim what they spend on the way to a customer. " * 4)
    write(pdf, "Hotels", 14, "B")
    write(pdf, "Up to 140 euros a night.\n\nMore needs a signature.")
    write(pdf, "- keep the bill\n- send it in")
    with pdf.table() as table:
        for cells in (("Grade", "Days"), ("A", "25"), ("B", "30")):
            table.row(cells)
    write(pdf, "Exceptions", 11, "B")
    pdf.add_page()
    write(pdf, "None are known.")
    return bytes(pdf.output())


def test_fonts_tell_headings_and_sections_go_on_over_pages():
    elements = parse_pdf(handbook(), "a.pdf", MOST_BYTES)
    title = "Expense policy of all offices and of everybody who works from home"
    assert [(e.text, e.level) for e in elements if e.kind == "title"] == [
        (title, 1),
        ("Hotels", 2),
        ("Exceptions", 3),
    ]
    assert elements[-1].text == "None are known."
    assert elements[-1].section == (title, "Hotels", "Exceptions")


def test_gaps_part_paragraphs_and_bullets_are_items():
    elements = parse_pdf(handbook(), "a.pdf", MOST_BYTES)
    texts = [element.text for element in elements if element.kind == "text"]
    assert texts[1:3] == ["Up to 140 euros a night.", "More needs a signature."]
    assert [e.text for e in elements if e.kind == "list_item"] == ["keep the bill", "send it in"]


def test_aligned_lines_are_a_table_with_column_names():
    rows = [element.text for element in parse_pdf(handbook(), "a.pdf", MOST_BYTES) if element.kind == "table"]
    assert rows == ["Grade: A; Days: 25", "Grade: B; Days: 30"]


def test_encrypted_pdf_is_refused():
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(handbook())))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(DocumentUnreadable, match="without a password"):
        parse_pdf(out.getvalue(), "a.pdf", MOST_BYTES)


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnothing", handbook()[:200]])
def test_damaged_pdf_is_refused(data):
    with pytest.raises(DocumentUnreadable, match="Expected a.pdf"):
        parse_pdf(data, "a.pdf", MOST_BYTES)


def test_pdf_without_text_is_refused_as_a_scan():
    pdf = FPDF()
    pdf.add_page()
    with pytest.raises(DocumentUnreadable, match="found 1 pages without any"):
        parse_pdf(bytes(pdf.output()), "a.pdf", MOST_BYTES)


def pdf_of(objects: list[bytes]) -> bytes:
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 %d\n%strailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF"
    return body + end % (len(places) + 1, table, len(places) + 1, len(body))


def packed(content: bytes, about: bytes = b"") -> bytes:
    data = zlib.compress(content, 9)
    return b"<</Filter/FlateDecode/Length %d%s>>stream\n%s\nendstream" % (len(data), about, data)


FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
HELLO = b"BT /F1 12 Tf " + b"(hello) Tj 0 -12 Td\n" * 1000 + b" ET"


def pages_of(contents: bytes, pages: int, *more: bytes) -> bytes:
    """Pages with the same stream, and with one form, which is the first of the further objects."""
    kids = b" ".join(b"%d 0 R" % (5 + len(more) + n) for n in range(pages))
    resources = b"/Resources<</Font<</F1 4 0 R>>/XObject<</X 5 0 R>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 3 0 R%s>>" % resources
    tree = b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages)
    return pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", tree, packed(contents), FONT, *more, *[page] * pages])


def form_of(contents: bytes) -> bytes:
    resources = b"/Resources<</Font<</F1 4 0 R>>>>"
    return packed(contents, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]" + resources)


@pytest.mark.parametrize("data", [pages_of(HELLO, 10, form_of(b"")), pages_of(b"/X Do " * 10, 1, form_of(HELLO))])
def test_what_unpacks_to_more_than_the_limit_is_refused_however_small_it_is(data: bytes) -> None:
    assert len(data) < 5_000
    assert parse_pdf(data, "a.pdf", 11 * len(HELLO))
    with pytest.raises(DocumentUnreadable, match=f"unpack to at most {9 * len(HELLO)} bytes"):
        parse_pdf(data, "a.pdf", 9 * len(HELLO))


def test_a_page_longer_than_any_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_pdf(pages_of(HELLO, 3, form_of(b"")), "a.pdf", MOST_BYTES)
    monkeypatch.setattr(pdf_module, "_LONGEST_PAGE", 5_999)
    for data in (pages_of(HELLO, 1, form_of(b"")), pages_of(b"/X Do", 1, form_of(HELLO))):
        with pytest.raises(DocumentUnreadable, match="at most 5999 characters on a page"):
            parse_pdf(data, "a.pdf", MOST_BYTES)


def test_pdf_markdown_and_text_are_parsed_without_torch_or_spacy():
    code = (
        "import sys\nfrom liftgate.config.parsing import Parsing\nfrom liftgate.parsing import parse\n"
        "for name in ('a.pdf', 'a.md', 'a.txt'):\n"
        "    data = sys.stdin.buffer.read() if name == 'a.pdf' else b'words'\n"
        "    parse(data, name, Parsing())\n"
        "print(sorted({'torch', 'spacy', 'unstructured', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=handbook(), capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
