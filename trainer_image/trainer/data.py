"""Reads JSONL, checks it whole before anything is loaded, and cuts it into batches."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.failures import ExpectedFailure
from trainer.files import sha256_of_file

Messages = list[dict[str, str]]

_LINES_NAMED = 10


@dataclass(frozen=True)
class Example:
    """A conversation as token ids; only the completion is learnt."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    """The last message of the assistant, its end token included."""

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True)
class Conversations:
    """What a JSONL file holds."""

    rows: list[dict[str, Any]]
    """The lines that are conversations, in order."""
    broken: list[int]
    """The numbers of the lines that are not, counted from 1."""
    sha256: str
    """Of the file."""


def read_conversations(path: Path, last_role: str, max_broken_share: float = 0.0) -> Conversations:
    """Lines `{"id": ..., "messages": [{"role": ..., "content": ...}, ...]}` whose last message has this role.

    Up to the share, broken lines are left out. Above it, they are named by their numbers in one error, so that a file
    is mended in one go. Empty lines count nothing.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    read = {number: _parse(line) for number, line in enumerate(lines, start=1) if line.strip()}
    if not read:
        raise ExpectedFailure(f"Expected examples in {path}, found an empty file. Check what wrote it.")
    broken = [number for number, row in read.items() if not _is_conversation(row, last_role)]
    found = f"found {len(broken)} of {len(read)} lines broken: {_named(broken)}."
    if len(broken) > max_broken_share * len(read) or len(broken) == len(read):
        raise ExpectedFailure(
            f"Expected every line of {path} to be a JSON object with an id and messages, the last of them by "
            f"{last_role!r}; {found} Mend or remove them."
        )
    if broken:
        print(f"{path}: {found} They are left out.", file=sys.stderr, flush=True)
    left_out = set(broken)
    return Conversations([row for number, row in read.items() if number not in left_out], broken, sha256_of_file(path))


def is_held_out(example_id: str, share: float) -> bool:
    """Whether an example is for evaluation. It follows from its id alone: more examples move none to the other side.

    Example: share=0.25 -> about every fourth id, and all of those with share=0.5 too
    """
    return int(hashlib.sha256(example_id.encode()).hexdigest()[:8], 16) < share * 2**32


def _named(lines: list[int]) -> str:
    return ", ".join(map(str, lines[:_LINES_NAMED])) + (", ..." if len(lines) > _LINES_NAMED else "")


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def _is_conversation(row: Any, last_role: str) -> bool:
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages or not isinstance(row.get("id"), str):
        return False
    shaped = all(
        isinstance(message, dict) and isinstance(message.get("role"), str) and isinstance(message.get("content"), str)
        for message in messages
    )
    return shaped and messages[-1]["role"] == last_role and bool(messages[-1]["content"].strip())


def shuffled_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch as indices: drawn at random, each sorted by length.

    Sorted, the pieces and the processes that share a batch get examples of like lengths, so little is padded. Whole
    batches of like lengths would save a little more and teach less: one of short refusals pulls one way, the next one
    the other (data of benchmarks/training.py, three seeds: held-out loss 0.448 in place of 0.429).
    The order follows from its arguments alone, which is what lets a killed run go on with the batch it lost.
    Example: lengths=[9, 1, 8, 2], batch_size=2 -> [[1, 2], [3, 0]], or other pairs
    """
    order = list(range(len(lengths)))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [sorted(batch, key=lambda index: lengths[index]) for batch in chunks(order, batch_size)]


def chunks(items: Sequence[int], size: int) -> Iterator[list[int]]:
    """Example: items=[1, 2, 3], size=2 -> [1, 2], [3]"""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
