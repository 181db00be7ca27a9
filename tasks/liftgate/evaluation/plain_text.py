"""A reader of documents that knows nothing of our parser and chunker, and whether a quote stands in a text.

A golden question is anchored to a quote. If the quote stands in what this reader finds, but in no chunk,
our parser lost text, and the question goes on counting.
"""

from __future__ import annotations

import io
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import PurePosixPath

from liftgate.errors import DocumentUnreadable

INLINE = frozenset(
    ("a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark")
    + ("q", "s", "samp", "small", "span", "strong", "sub", "sup", "u", "var", "wbr")
)
HIDDEN = frozenset({"script", "style", "template", "noscript"})
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
EMPHASIS = re.compile(r"[*_`\\\u00ad\u200b]")
SEPARATORS = re.compile(r"[#>|~•◦▪‣]|:?-{2,}:?|(?<!\S)[-+](?!\S)")
QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})


def plain_text(uri: str, content: bytes) -> str:
    """The text of a document by the ending of its uri: html, pdf, or anything else as UTF-8 text."""
    ending = PurePosixPath(uri).suffix.lower()
    if ending == ".pdf":
        return _pdf_text(uri, content)
    text = content.decode("utf-8-sig", errors="replace")
    return _html_text(text) if ending in (".html", ".htm") else text


def comparable(text: str) -> str:
    """Text without what a format may change: marks, bullets, kinds of quotes and dashes, case, white space.

    Example: "- The **limit** is\n  12 days" -> "the limit is 12 days".
    """
    plain = LINK.sub(r"\1", unicodedata.normalize("NFKC", text).translate(QUOTES))
    return " ".join(SEPARATORS.sub(" ", EMPHASIS.sub("", plain)).split()).casefold()


def quote_stands(quote: str, text: str) -> bool:
    """Does the quote stand in the text? Whole words only, so that "6 weeks" is not found in "16 weeks".

    An empty quote stands nowhere.
    """
    wanted = comparable(quote)
    return bool(wanted) and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", comparable(text)) is not None


def _pdf_text(uri: str, content: bytes) -> str:
    from pypdf import PdfReader

    try:
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    except Exception as error:
        raise DocumentUnreadable(
            f"Expected a PDF with text in {uri}, found one that cannot be read ({error}). Write it again."
        ) from error


def _html_text(text: str) -> str:
    reader = _TextOfHtml()
    reader.feed(text)
    reader.close()
    return "".join(reader.parts)


class _TextOfHtml(HTMLParser):
    """Collects text; every element that is not inline stands on a line of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in HIDDEN
        self.parts += [] if tag in INLINE else ["\n"]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN and self._hidden > 0
        self.parts += [] if tag in INLINE else ["\n"]

    def handle_data(self, data: str) -> None:
        self.parts += [] if self._hidden else [data]
