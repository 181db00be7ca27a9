import random

import pytest
from pydantic import ValidationError

from liftgate.chunking import chunk, fingerprint
from liftgate.chunking.cutting import NO_HEADING
from liftgate.config.chunking import Chunking
from liftgate.config.embeddings import Embeddings
from liftgate.embedding import tokenizer
from liftgate.parsing.elements import Element, Outline

TOKENS = tokenizer(Embeddings())
SMALL = Chunking(chunk_size_tokens=50, chunk_overlap_tokens=10, min_chunk_tokens=15)
WORDS = [f"word{number}" for number in range(400)]


def document(*parts: tuple[str, str]) -> list[Element]:
    outline = Outline()
    for kind, text in parts:
        if kind.startswith("h"):
            outline.title(text, level=int(kind[1]))
        else:
            outline.add("list_item" if kind == "li" else "text", text, level=1 if kind == "li" else 0)
    return outline.elements


def sentences(count: int, seed: int = 0) -> str:
    chance = random.Random(seed)
    return " ".join(f"{' '.join(chance.choices(WORDS, k=8)).capitalize()}." for _ in range(count))


def random_document(seed: int) -> list[Element]:
    chance = random.Random(seed)
    parts = []
    for _ in range(chance.randint(1, 25)):
        kind = chance.choice(["h1", "h2", "h3", "p", "p", "li", "li"])
        length = chance.choice([1, 2, 5, 40]) if kind.startswith("h") else chance.choice([1, 6, 30, 120])
        parts.append((kind, " ".join(chance.choices(WORDS, k=length))))
    return document(*parts)


@pytest.mark.parametrize("seed", range(60))
def test_no_word_is_dropped_and_no_chunk_is_too_long(seed):
    elements = random_document(seed)
    config = random.Random(seed).choice(
        [Chunking(), SMALL, Chunking(chunk_size_tokens=20, chunk_overlap_tokens=0, min_chunk_tokens=0)]
    )
    pieces = chunk(elements, config, TOKENS)
    words = {word for element in elements for word in element.text.lower().split()}
    found = {word for piece in pieces for word in piece.text.lower().split()}
    assert words <= found
    assert all(piece.tokens == TOKENS.count(piece.text) <= config.chunk_size_tokens for piece in pieces)
    assert [piece.ordinal for piece in pieces] == list(range(len(pieces)))


def test_chunk_begins_with_its_headings():
    pieces = chunk(document(("h1", "Leave"), ("h2", "Parental"), ("p", sentences(9))), SMALL, TOKENS)
    assert len(pieces) > 2
    assert all(piece.text.startswith("Leave > Parental\n\n") for piece in pieces)
    assert {piece.section for piece in pieces} == {"Leave > Parental"}


def test_headings_can_be_left_out_of_the_text():
    config = Chunking(include_headings=False)
    (piece,) = chunk(document(("h1", "Leave"), ("p", "Sixteen weeks.")), config, TOKENS)
    assert (piece.section, piece.text) == ("Leave", "Sixteen weeks.")


def test_sections_that_are_long_enough_are_not_mixed():
    elements = document(("h1", "A"), ("p", sentences(2, 1)), ("h1", "B"), ("p", sentences(2, 2)))
    assert [piece.section for piece in chunk(elements, SMALL, TOKENS)] == ["A", "B"]


def test_short_section_is_joined_to_its_neighbour_under_the_section_they_share():
    elements = document(("h1", "Leave"), ("h2", "Start"), ("p", "On Monday."), ("h2", "End"), ("p", "On Friday."))
    (piece,) = chunk(elements, SMALL, TOKENS)
    assert piece.section == "Leave"
    assert piece.text == "Leave > Start\n\nOn Monday.\n\nEnd\n\nOn Friday."


def test_short_document_is_one_chunk():
    (piece,) = chunk(document(("p", "Closed.")), Chunking(), TOKENS)
    assert (piece.text, piece.section) == ("Closed.", NO_HEADING)


def test_overlap_repeats_the_end_of_the_chunk_before():
    text = " ".join(f"Item {number} is new." for number in range(40))
    first, second, *_ = chunk(document(("p", text)), SMALL, TOKENS)
    assert second.text.split(".")[0] in first.text
    alone = Chunking(chunk_size_tokens=50, chunk_overlap_tokens=0, min_chunk_tokens=15)
    first, second, *_ = chunk(document(("p", text)), alone, TOKENS)
    assert second.text.split(".")[0] not in first.text


def test_two_sections_of_the_same_name_stay_two():
    elements = document(("h1", "A"), ("p", sentences(1, 1)), ("h1", "A"), ("p", sentences(1, 2)))
    assert len(chunk(elements, SMALL, TOKENS)) == 2


def test_openai_names_are_counted_without_the_net():
    counted = tokenizer(Embeddings(model="text-embedding-3-large"))
    config = Chunking(chunk_size_tokens=60, chunk_overlap_tokens=10, min_chunk_tokens=20)
    pieces = chunk(document(("h1", "Leave"), ("p", sentences(12))), config, counted)
    assert counted.count("hello world") == 2
    assert len(pieces) > 2
    assert all(piece.tokens <= 60 for piece in pieces)


def test_fingerprint_follows_settings_and_tokenizer():
    prints = {fingerprint(Chunking(), "a"), fingerprint(Chunking(), "b"), fingerprint(SMALL, "a")}
    assert len(prints) == 3
    assert fingerprint(Chunking(), "a") == fingerprint(Chunking(chunk_size_tokens=180), "a")


@pytest.mark.parametrize("name", ["chunk_overlap_tokens", "min_chunk_tokens"])
def test_overlap_and_minimum_stay_below_the_size(name):
    with pytest.raises(ValidationError, match=f"Expected {name} below chunk_size_tokens"):
        Chunking(**{"chunk_size_tokens": 40, "chunk_overlap_tokens": 5, "min_chunk_tokens": 5, name: 40})
