"""PDF to elements, by pypdf: text only, no torch, no OCR.

A PDF has no headings or tables, only text with a font at a place. A line in a larger or bold font is
taken for a heading, lines whose pieces stand under each other for a table, a wider gap for a new paragraph.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from liftgate.errors import DocumentUnreadable
from liftgate.parsing.elements import BULLET, Element, Outline

if TYPE_CHECKING:
    from pypdf import PageObject

_LONGEST_HEADING_WORDS = 14
_LARGER = 1.1
_WIDER_GAP = 1.4
_WIDER_GAP_OF_A_HEADING = 1.8
_LONGEST_PAGE = 500_000
"""Characters. A page of a book has some 3,000; what pypdf needs for a page grows with the square of them."""


@dataclass
class _Line:
    """A line of a page: its pieces as (x, text), where it stands, and how it is set."""

    pieces: list[tuple[int, str]] = field(default_factory=list)
    y: float = 0.0
    size: float = 0.0
    bold: bool = False

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.pieces).strip()

    @property
    def columns(self) -> tuple[int, ...]:
        return tuple(sorted({x for x, _ in self.pieces}))

    @property
    def cells(self) -> list[str]:
        texts = {x: "".join(text for at, text in self.pieces if at == x).strip() for x in self.columns}
        return list(texts.values())


class _Budget:
    """What a PDF may still unpack to. A stream counts for each page and each form that shows it.

    pypdf goes on where a form fails, so that what a form has used up has to be checked again after its page.
    """

    def __init__(self, uri: str, most_bytes: int):
        self._uri, self._most_bytes = uri, most_bytes
        self._bytes = self._characters = 0

    def begin_page(self) -> None:
        self._characters = 0

    def unpack(self, stream: Any) -> None:
        self._bytes += len(stream.get_data())
        self.check()

    def show(self, text: str) -> None:
        self._characters += len(text)
        self.check()

    def check(self) -> None:
        if self._bytes > self._most_bytes:
            raise DocumentUnreadable(
                f"Expected {self._uri} to unpack to at most {self._most_bytes} bytes, found that it unpacks to more "
                "than that. Split the document, or raise parsing.max_document_bytes."
            )
        if self._characters > _LONGEST_PAGE:
            raise DocumentUnreadable(
                f"Expected {self._uri} to have at most {_LONGEST_PAGE} characters on a page, found more. Export it "
                "with pages that can be read, or as text."
            )


def parse_pdf(data: bytes, uri: str, most_bytes: int) -> list[Element]:
    """Headings, paragraphs, list items and table rows, as far as fonts and places tell them.

    Raises DocumentUnreadable for what cannot be read, or unpacks to more than so many bytes.
    """
    pages = _pages(data, uri, _Budget(uri, most_bytes))
    sizes = Counter[float]()
    for line in (line for page in pages for line in page):
        sizes[line.size] += len(line.text)
    if not sizes.total():
        raise DocumentUnreadable(
            f"Expected text in {uri}, found {len(pages)} pages without any: it is probably a scan. "
            "Replace it by a version with text."
        )
    body = sizes.most_common(1)[0][0]
    headings = sorted({size for size in sizes if size > body * _LARGER}, reverse=True)
    outline = Outline()
    for page in pages:
        _page(page, body, headings, outline)
    return outline.elements


def _pages(data: bytes, uri: str, budget: _Budget) -> list[list[_Line]]:
    import pypdf

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentUnreadable(
                f"Expected {uri} to be readable without a password, found an encrypted PDF. Save it without a password."
            )
        return [_lines(page, budget) for page in reader.pages]
    except DocumentUnreadable:
        raise
    except Exception as error:  # pypdf raises nearly anything on a damaged file
        raise DocumentUnreadable(
            f"Expected {uri} to be a sound PDF, found {type(error).__name__}: {error}. Export it again."
        ) from error


def _lines(page: PageObject, budget: _Budget) -> list[_Line]:
    lines = [_Line()]
    budget.begin_page()
    if (contents := page.get_contents()) is not None:
        budget.unpack(contents)
    extract_form = page.extract_xform_text

    def form(xform: Any, *args: Any, **kwargs: Any) -> str:
        budget.unpack(xform)
        return extract_form(xform, *args, **kwargs)

    def visit(text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        budget.show(text)
        # A broken font gives what is no text: bytes of zero, and halves of characters.
        sound = text.replace("\0", "").encode("utf-8", "replace").decode()
        for number, part in enumerate(sound.split("\n")):
            if number:
                lines.append(_Line())
            if part.strip():
                _extend(lines[-1], part, cm, tm, font, size)

    page.extract_xform_text = form  # type: ignore[method-assign]
    page.extract_text(visitor_text=visit)
    budget.check()
    return [line for line in lines if line.text]


def _extend(line: _Line, text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
    bold = "bold" in str((font or {}).get("/BaseFont", "")).lower()
    line.bold = bold and (line.bold or not line.pieces)
    line.size = max(line.size, round(size * abs(tm[3] * cm[3]), 1))
    line.y = tm[5] * cm[3] + cm[5]
    line.pieces.append((round(tm[4]), text))


def _page(lines: list[_Line], body: float, headings: list[float], outline: Outline) -> None:
    pitch = _pitch(lines)
    block: list[_Line] = []
    open_level = 0
    for columns, group in groupby(lines, key=lambda line: line.columns):
        rows = list(group)
        if len(columns) > 1 and len(rows) > 1:
            _close(block, open_level, outline)
            _table(rows, outline)
            continue
        for line in rows:
            level = _heading_level(line, body, headings)
            if level != open_level or _stands_apart(line, level, block, pitch):
                _close(block, open_level, outline)
            block.append(line)
            open_level = level
    _close(block, open_level, outline)


def _stands_apart(line: _Line, level: int, block: list[_Line], pitch: float) -> bool:
    if not block or (BULLET.match(line.text) and not level):
        return True
    widest = line.size * _WIDER_GAP_OF_A_HEADING if level else max(pitch, line.size) * _WIDER_GAP
    return block[-1].y - line.y > widest


def _pitch(lines: list[_Line]) -> float:
    """The usual distance from a line to the next one of the page."""
    gaps = Counter(round(above.y - below.y) for above, below in zip(lines, lines[1:], strict=False))
    usual = [gap for gap, _ in gaps.most_common() if gap > 0]
    return usual[0] if usual else 0.0


def _heading_level(line: _Line, body: float, headings: list[float]) -> int:
    """1 for the largest font; bold lines of the size of the body come below the larger ones. 0: none."""
    if len(line.text.split()) > _LONGEST_HEADING_WORDS:
        return 0
    if line.size in headings:
        return headings.index(line.size) + 1
    short = line.bold and line.size >= body and not line.text.endswith((".", ":", ";", ","))
    return len(headings) + 1 if short else 0


def _close(block: list[_Line], level: int, outline: Outline) -> None:
    text = " ".join(line.text for line in block)
    bullet = BULLET.match(text)
    if level:
        outline.title(text, level)
    elif bullet:
        outline.add("list_item", bullet.group("text"), level=1)
    else:
        outline.add("text", text)
    block.clear()


def _table(rows: list[_Line], outline: Outline) -> None:
    headed = rows[0].bold and not rows[1].bold
    cells = [row.cells for row in rows]
    outline.table(cells[0] if headed else [], cells[1:] if headed else cells)
