"""Markdown to elements, by markdown-it-py.

unstructured's partition_md turns markdown into HTML and imports spaCy, and with it torch where that is
installed; this way is free of both, and some ten times as fast.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from liftgate.parsing.decoding import decode
from liftgate.parsing.elements import Element, Outline

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

FRONT_MATTER = re.compile(r"\A---\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)


def parse_markdown(data: bytes, uri: str) -> list[Element]:
    """Headings, paragraphs, list items, table rows and code. Markup is gone, link texts stay."""
    from markdown_it.tree import SyntaxTreeNode

    text, outline = decode(data, uri), Outline()
    if front_matter := FRONT_MATTER.match(text):
        outline.add("text", front_matter.group(1))
        text = text[front_matter.end() :]
    for node in SyntaxTreeNode(_reader().parse(text)).children:
        _block(node, outline, depth=0)
    return outline.elements


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _block(node: SyntaxTreeNode, outline: Outline, depth: int) -> None:
    if node.type == "heading":
        outline.title(_inline(node), level=int(node.tag[1:]))
    elif node.type in ("bullet_list", "ordered_list"):
        _list(node, outline, depth + 1)
    elif node.type == "table":
        _table(node, outline)
    elif node.type in ("fence", "code_block"):
        outline.add("code", node.content)
    elif node.type == "html_block":
        outline.add("text", _without_tags(node.content))
    elif node.type == "paragraph":
        outline.add("text", _inline(node))
    else:  # a quotation, or a rule without children
        for child in node.children:
            _block(child, outline, depth)


def _list(node: SyntaxTreeNode, outline: Outline, depth: int) -> None:
    first = int(node.attrs.get("start", 1))
    for number, item in enumerate(node.children, start=first):
        mark = f"{number}. " if node.type == "ordered_list" else ""
        for child in item.children:
            if child.type == "paragraph":
                outline.add("list_item", mark + _inline(child), level=depth)
                mark = ""
            else:
                _block(child, outline, depth)


def _table(node: SyntaxTreeNode, outline: Outline) -> None:
    lines = [[_inline(cell) for cell in row.children] for part in node.children for row in part.children]
    outline.table(lines[0], lines[1:])


def _inline(node: SyntaxTreeNode) -> str:
    if node.type in ("softbreak", "hardbreak"):
        return " " if node.type == "softbreak" else "\n"
    if node.type == "html_inline":
        return _without_tags(node.content)
    if node.children:
        return "".join(_inline(child) for child in node.children)
    return node.content if node.token else ""


class _TextOnly(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _without_tags(markup: str) -> str:
    reader = _TextOnly()
    reader.feed(markup)
    reader.close()
    return "".join(reader.parts)
