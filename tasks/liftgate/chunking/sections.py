"""Elements grouped by the section they stand in, with the headings that a chunk of it begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from liftgate.parsing.elements import Element


@dataclass(frozen=True)
class Section:
    """A heading with the text right below it, up to the next heading."""

    path: tuple[str, ...]
    body: str


def sections(elements: Sequence[Element]) -> list[Section]:
    """Runs of elements under the same headings. A heading that has only deeper ones below is left to them.

    Example: title "Leave", title "Parental", text "Sixteen weeks." -> one section ("Leave", "Parental")
    """
    runs = [(path, list(run)) for path, run in groupby(_numbered(elements), key=lambda pair: pair[0])]
    found = [Section(path, _body([element for _, element in run])) for (_, path), run in runs]
    following = [*found[1:], Section((), "")]
    return [
        section
        for section, after in zip(found, following, strict=True)
        if section.body or after.path[: len(section.path)] != section.path
    ]


def _numbered(elements: Sequence[Element]) -> list[tuple[tuple[int, tuple[str, ...]], Element]]:
    # Two sections of the same name that follow each other stay two: each title counts up.
    titles, pairs = 0, []
    for element in elements:
        titles += element.kind == "title"
        pairs.append(((titles, element.section), element))
    return pairs


def _body(elements: Sequence[Element]) -> str:
    """A section's text: a blank line between paragraphs, a newline between the items or rows of one list."""
    text, before = "", None
    for element in elements:
        if element.kind == "title":
            continue
        if text:
            together = element.kind == before and element.kind in ("list_item", "table")
            text += "\n" if together else "\n\n"
        text += _marked(element)
        before = element.kind
    return text


def _marked(element: Element) -> str:
    if element.kind != "list_item" or element.text[:1].isdigit():
        return element.text
    return "  " * max(element.level - 1, 0) + "- " + element.text
