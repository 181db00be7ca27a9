"""What every parser returns, and the outline that gives each element its section."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

BULLET = re.compile(r"^\s*(?:[-*\u2013]\s+|\u2022\s*|(?=\d{1,3}[.)]\s))(?P<text>\S.*)$", re.DOTALL)
"""A list item in text without markup: a bullet is taken off, a number stays."""

Kind = Literal["title", "text", "list_item", "table", "code"]


@dataclass(frozen=True)
class Element:
    """A heading, paragraph, list item, table row or block of code, in the order of the document."""

    kind: Kind
    text: str
    section: tuple[str, ...] = ()
    """The headings that it stands under, outermost first; a title's own text is the last of them."""
    level: int = 0
    """Of a title: 1 is the outermost. Of a list item: how deep it is nested. Otherwise 0."""


class Outline:
    """Collects elements and remembers which headings are open.

    Example: title("Leave", 1), title("Parental", 2), add("text", "Sixteen weeks.")
    gives the text the section ("Leave", "Parental").
    """

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self._open: list[tuple[int, str]] = []

    def title(self, text: str, level: int) -> None:
        """Closes headings of this level and deeper ones, and opens this one."""
        text = " ".join(text.split())
        if not text:
            return
        self._open = [(depth, heading) for depth, heading in self._open if depth < level]
        self._open.append((level, text))
        self.elements.append(Element("title", text, self._section(), level))

    def add(self, kind: Kind, text: str, level: int = 0) -> None:
        """Adds an element under the open headings; one without text is left out."""
        text = text.strip("\n") if kind == "code" else text.strip()
        if text.strip():
            self.elements.append(Element(kind, text, self._section(), level))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Adds each row as an element of its own that can be read without the others."""
        for text in row_texts(header, rows):
            self.add("table", text)

    def _section(self) -> tuple[str, ...]:
        return tuple(heading for _, heading in self._open)


def row_texts(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Each row of a table with its column names, so that a row cut off from its table is still understood.

    Example: header=["Grade", "Days"], rows=[["A", "25"]] -> ["Grade: A; Days: 25"]; without a header "A | 25"
    """
    if not any(header):
        return [" | ".join(cell for cell in row if cell) for row in rows]
    if not rows:
        return [" | ".join(name for name in header if name)]
    return ["; ".join(_pairs(header, row)) for row in rows]


def _pairs(header: Sequence[str], row: Sequence[str]) -> list[str]:
    pairs = zip_longest(header, row, fillvalue="")
    return [f"{name}: {cell}".strip() if name else cell for name, cell in pairs if name or cell]
