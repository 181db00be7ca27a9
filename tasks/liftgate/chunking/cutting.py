"""Cut sections into pieces, put their headings in front, and join what is too short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from liftgate import fingerprints
from liftgate.chunking.sections import Section, sections
from liftgate.chunking.tokens import Tokenizer
from liftgate.config.chunking import Chunking
from liftgate.parsing.elements import Element

CHUNKER_VERSION = 1
"""Raised by hand when unchanged elements give other chunks. An upgrade of a library does not count."""

NO_HEADING = "(no heading)"
"""The section of text above the first heading. It stands in the metadata only, never in a chunk's text."""

_BODY_SHARE = 0.5
"""The least share of a chunk that is left to the text: longer headings are shortened from the outside."""


@dataclass(frozen=True)
class Piece:
    """A chunk before it has an id: its place in the document, section, text and number of tokens."""

    ordinal: int
    section: str
    text: str
    tokens: int


@dataclass(frozen=True)
class _Part:
    """A piece of one section, or several short ones joined, with the headings apart from the text."""

    path: tuple[str, ...]
    heading: str
    text: str
    tokens: int
    section_number: int


def chunk(elements: Sequence[Element], config: Chunking, tokenizer: Tokenizer) -> list[Piece]:
    """The chunks of a document, in order. Each holds at most chunk_size_tokens, its headings included.

    Every word of the elements stands in some chunk (headings too, unless include_headings is off).
    """
    parts: list[_Part] = []
    for number, section in enumerate(sections(elements)):
        parts += _cut(section, number, config, tokenizer)
    joined = _join_short(parts, config, tokenizer)
    return [
        Piece(ordinal, " > ".join(part.path) or NO_HEADING, _whole(part.heading, part.text), part.tokens)
        for ordinal, part in enumerate(joined)
    ]


def fingerprint(config: Chunking, tokenizer_name: str) -> str:
    """Changes when the same elements may give other chunks: our version, settings, the tokenizer's name."""
    return fingerprints.fingerprint(
        {"version": CHUNKER_VERSION, "tokenizer": tokenizer_name, **config.model_dump(mode="json")}
    )


def _cut(section: Section, number: int, config: Chunking, tokenizer: Tokenizer) -> list[_Part]:
    heading, body = _heading_and_body(section, config, tokenizer)
    room = config.chunk_size_tokens - tokenizer.count(heading + "\n\n" if heading else "")
    if not body:
        return [_Part(section.path, heading, "", tokenizer.count(heading), number)] if heading else []
    while True:
        texts = tokenizer.splitter(room, min(config.chunk_overlap_tokens, room // 2)).chunks(body)
        parts = [_part(section.path, heading, text, number, tokenizer) for text in texts]
        excess = max(part.tokens for part in parts) - config.chunk_size_tokens
        if excess <= 0:
            return parts
        # Some tokenizers count a seam differently from its two sides.
        room -= excess


def _part(path: tuple[str, ...], heading: str, text: str, number: int, tokenizer: Tokenizer) -> _Part:
    return _Part(path, heading, text, tokenizer.count(_whole(heading, text)), number)


def _heading_and_body(section: Section, config: Chunking, tokenizer: Tokenizer) -> tuple[str, str]:
    """The line of headings that fits, and the text; headings that do not fit go to the start of the text."""
    if not config.include_headings:
        return "", section.body
    limit = int(config.chunk_size_tokens * (1 - _BODY_SHARE))
    for outermost in range(len(section.path) + 1):
        heading = " > ".join(section.path[outermost:])
        if tokenizer.count(heading) <= limit:
            break
    left_over = "\n".join(section.path[:outermost])
    return heading, "\n\n".join(text for text in (left_over, section.body) if text)


def _join_short(parts: list[_Part], config: Chunking, tokenizer: Tokenizer) -> list[_Part]:
    """Joins a part under min_chunk_tokens to the next one, or else to the one before, where both fit."""
    joined: list[_Part] = []
    for part in parts:
        if joined and joined[-1].tokens < config.min_chunk_tokens:
            if both := _joined(joined[-1], part, config, tokenizer):
                joined[-1] = both
                continue
            _join_last(joined, config, tokenizer)
        joined.append(part)
    if joined and joined[-1].tokens < config.min_chunk_tokens:
        _join_last(joined, config, tokenizer)
    return joined


def _join_last(joined: list[_Part], config: Chunking, tokenizer: Tokenizer) -> None:
    if len(joined) > 1 and (both := _joined(joined[-2], joined[-1], config, tokenizer)):
        joined[-2:] = [both]


def _joined(first: _Part, second: _Part, config: Chunking, tokenizer: Tokenizer) -> _Part | None:
    """Both as one part of the section they share, or of the first one's; None if too long together."""
    shared = _shared(first.path, second.path)
    heading = "" if first.section_number == second.section_number else _below(first, second, shared)
    text = "\n\n".join(text for text in (first.text, heading, second.text) if text)
    tokens = tokenizer.count(_whole(first.heading, text))
    if tokens > config.chunk_size_tokens:
        return None
    number = second.section_number
    return replace(first, path=shared or first.path, text=text, tokens=tokens, section_number=number)


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return first[:length]


def _below(first: _Part, second: _Part, shared: tuple[str, ...]) -> str:
    """The second part's headings without those that the joined chunk begins with anyway."""
    if not second.heading:
        return ""
    outer = " > ".join(shared)
    if outer and first.heading.startswith(outer) and second.heading.startswith(outer):
        return second.heading[len(outer) :].removeprefix(" > ")
    return second.heading


def _whole(heading: str, text: str) -> str:
    return "\n\n".join(part for part in (heading, text) if part)
