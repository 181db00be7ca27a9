import io
import subprocess
import sys

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from liftgate.errors import DocumentUnreadable
from liftgate.parsing.pdf import parse_pdf


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
    elements = parse_pdf(handbook(), "a.pdf")
    title = "Expense policy of all offices and of everybody who works from home"
    assert [(e.text, e.level) for e in elements if e.kind == "title"] == [
        (title, 1),
        ("Hotels", 2),
        ("Exceptions", 3),
    ]
    assert elements[-1].text == "None are known."
    assert elements[-1].section == (title, "Hotels", "Exceptions")


def test_gaps_part_paragraphs_and_bullets_are_items():
    elements = parse_pdf(handbook(), "a.pdf")
    texts = [element.text for element in elements if element.kind == "text"]
    assert texts[1:3] == ["Up to 140 euros a night.", "More needs a signature."]
    assert [e.text for e in elements if e.kind == "list_item"] == ["keep the bill", "send it in"]


def test_aligned_lines_are_a_table_with_column_names():
    rows = [element.text for element in parse_pdf(handbook(), "a.pdf") if element.kind == "table"]
    assert rows == ["Grade: A; Days: 25", "Grade: B; Days: 30"]


def test_encrypted_pdf_is_refused():
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(handbook())))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(DocumentUnreadable, match="without a password"):
        parse_pdf(out.getvalue(), "a.pdf")


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnothing", handbook()[:200]])
def test_damaged_pdf_is_refused(data):
    with pytest.raises(DocumentUnreadable, match="Expected a.pdf"):
        parse_pdf(data, "a.pdf")


def test_pdf_without_text_is_refused_as_a_scan():
    pdf = FPDF()
    pdf.add_page()
    with pytest.raises(DocumentUnreadable, match="found 1 pages without any"):
        parse_pdf(bytes(pdf.output()), "a.pdf")


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
