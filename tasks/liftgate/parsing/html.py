"""HTML to elements, by unstructured's HTML partitioner.

It knows what is a block and what is inline, and leaves scripts and styles out. What it asks spaCy for,
whether a paragraph is narrative, changes nothing in a chunk, costs most of the time, and would download
a model: that question is answered here without asking.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from liftgate.parsing.decoding import decode_html
from liftgate.parsing.elements import Element, Outline

if TYPE_CHECKING:
    from collections.abc import Callable

_CONTENT = re.compile(r"<(/?)(?:details|summary|figure|figcaption|form)\b", re.IGNORECASE)
"""Tags that unstructured leaves out with all that is in them, though handbooks have answers there."""


def parse_html(data: bytes, uri: str) -> list[Element]:
    """Headings, paragraphs, list items, table rows and code of a page's body (its <main> if it has one)."""
    outline = Outline()
    markup = _CONTENT.sub(r"<\1div", decode_html(data, uri))
    # A language is named so that none is detected, which would cost as much as the parsing.
    for found in _partitioner()(text=markup, languages=["eng"]):
        _add(found, outline)
    return outline.elements


@lru_cache(maxsize=1)
def _partitioner() -> Callable[..., list[Any]]:
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("UNSTRUCTURED_DISABLE_NOTICE", "1")
    from unstructured.documents.elements import Text
    from unstructured.partition.html import parser, partition_html

    # A test asserts that this name exists and that no spaCy model is loaded.
    parser.derive_element_type_from_text = lambda text: Text
    return partition_html


def _add(found: Any, outline: Outline) -> None:
    depth = found.metadata.category_depth or 0
    if found.category == "Title":
        outline.title(found.text, level=depth + 1)
    elif found.category == "Table":
        _table(found.metadata.text_as_html or "", found.text, outline)
    elif found.category == "ListItem":
        outline.add("list_item", found.text, level=depth)
    else:
        outline.add("code" if found.category == "CodeSnippet" else "text", found.text)


def _table(markup: str, text: str, outline: Outline) -> None:
    from lxml import html

    if not markup:
        outline.add("table", text)
        return
    table = html.fromstring(markup)
    for caption in table.iter("caption"):
        outline.add("text", caption.text_content())
    lines = [[(cell.tag, " ".join(cell.text_content().split())) for cell in row] for row in table.iter("tr")]
    headed = bool(lines) and all(tag == "th" for tag, _ in lines[0])
    texts = [[text for _, text in line] for line in lines]
    outline.table(texts[0] if headed else [], texts[1:] if headed else texts)
