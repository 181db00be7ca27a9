"""Counting tokens without torch, by the tokenizer of the model that will read the text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from semantic_text_splitter import TextSplitter
    from tokenizers import Tokenizer as Rust


class Tokenizer(Protocol):
    """Counts tokens, and cuts text into pieces of so many tokens."""

    name: str
    """Stands in the chunker's fingerprint: the model's name, never a path of a machine."""
    special_tokens: int
    """How many tokens the model adds to every text of its own."""

    def count(self, text: str) -> int:
        """Tokens of a text, without special ones."""

    def splitter(self, capacity: int, overlap: int) -> TextSplitter:
        """A splitter whose pieces hold at most `capacity` tokens."""


class FileTokenizer:
    """A tokenizer.json of a model's folder, read by the tokenizers library."""

    def __init__(self, name: str, file: Path):
        self.name = name
        self._rust = _load(str(file))
        self.special_tokens = self._rust.num_special_tokens_to_add(False)

    def count(self, text: str) -> int:
        return len(self._rust.encode(text, add_special_tokens=False).ids)

    def splitter(self, capacity: int, overlap: int) -> TextSplitter:
        from semantic_text_splitter import TextSplitter

        # from_huggingface_tokenizer copies the vocabulary, which takes 27 ms for each section.
        return TextSplitter.from_callback(self.count, capacity, overlap)


class TiktokenTokenizer:
    """A tokenizer of OpenAI's out of semantic-text-splitter (Python's tiktoken downloads its vocabulary)."""

    special_tokens = 0

    def __init__(self, name: str):
        self.name = name

    def count(self, text: str) -> int:
        """The smallest capacity that the text fits whole, found by halving: the splitter tells no counts."""
        if not text.strip():
            return 0
        low, high = 1, len(text.encode())
        while low < high:
            middle = (low + high) // 2
            fits = len(self.splitter(middle, 0).chunks(text)) == 1
            low, high = (low, middle) if fits else (middle + 1, high)
        return low

    def splitter(self, capacity: int, overlap: int) -> TextSplitter:
        from semantic_text_splitter import TextSplitter

        return TextSplitter.from_tiktoken_model(self.name, capacity, overlap)


@lru_cache(maxsize=4)
def _load(file: str) -> Rust:
    from tokenizers import Tokenizer as Rust

    rust = Rust.from_file(file)
    # The file may cap its output (MiniLM's at 128 tokens): counts would stop there.
    rust.no_truncation()
    rust.no_padding()
    return rust
