"""Plain text to elements.

unstructured's partition_text asks spaCy about every paragraph, at 30 KB a second; the conventions of
plain text (blank lines, bullets, underlined and all-capital headings) need no model of language.
"""

from __future__ import annotations

import re

from liftgate.parsing.decoding import decode
from liftgate.parsing.elements import BULLET, Element, Outline

_UNDERLINE = re.compile(r"^(={3,}|-{3,})\s*$")
_COLUMNS = re.compile(r"\S(?: {2,}|\t| \| )\S")
_LONGEST_HEADING_WORDS = 12
_SHORTEST_WRAPPED_LINE = 40


def parse_plain(data: bytes, uri: str) -> list[Element]:
    """Headings, paragraphs and list items. Lines that were wrapped are joined, columns keep their lines."""
    outline = Outline()
    for block in re.split(r"\n[ \t]*\n", decode(data, uri)):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        _block(_without_headings(lines, outline), outline)
    return outline.elements


def _without_headings(lines: list[str], outline: Outline) -> list[str]:
    """Takes headings off the start of a block: an underlined line, or a line of capitals standing alone."""
    while len(lines) > 1 and (mark := _UNDERLINE.match(lines[1])):
        outline.title(lines[0], level=1 if mark.group(1)[0] == "=" else 2)
        lines = lines[2:]
    if len(lines) == 1 and _is_capitals(lines[0]):
        # The first one names the document; those after it are its sections.
        outline.title(lines[0], level=2 if outline.elements else 1)
        return []
    return lines


def _is_capitals(line: str) -> bool:
    letters = sum(character.isalpha() for character in line)
    short = len(line.split()) <= _LONGEST_HEADING_WORDS
    return line.isupper() and letters >= 3 and short and not line.rstrip().endswith((".", ";", ","))


def _block(lines: list[str], outline: Outline) -> None:
    paragraph: list[str] = []
    item: list[str] = []
    for line in lines:
        if bullet := BULLET.match(line):
            _close(paragraph, item, outline)
            item.append(bullet.group("text"))
        elif item:
            item.append(line.strip())
        else:
            paragraph.append(line)
    _close(paragraph, item, outline)


def _close(paragraph: list[str], item: list[str], outline: Outline) -> None:
    outline.add("text", _joined(paragraph))
    outline.add("list_item", " ".join(item), level=1)
    paragraph.clear()
    item.clear()


def _joined(lines: list[str]) -> str:
    """Joins a line to the next one if it looks wrapped; short lines and columns keep their end."""
    text = ""
    for line in lines:
        wrapped = len(line) >= _SHORTEST_WRAPPED_LINE and not _COLUMNS.search(line)
        text += line.strip() + (" " if wrapped else "\n")
    return text
