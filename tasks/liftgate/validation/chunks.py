"""The suite over the chunks that a generation shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liftgate.config.validation import Validation
from liftgate.fingerprints import content_hash
from liftgate.validation.checkpoint import Rule, run_checkpoint
from liftgate.validation.report import Report

_NORM_TOLERANCE = 0.01


def validate_chunks(
    rows: Sequence[Mapping[str, Any]],
    settings: Validation,
    *,
    max_tokens: int,
    quarantined_share: float,
    docs_folder: Path,
) -> Report:
    """Checks every chunk that is visible in the candidate generation.

    Each row has chunk_id, doc_id, section, groups (a list), text, tokens, and norm (the length of its
    vector). max_tokens is chunking.chunk_size_tokens; quarantined_share is of the listed documents, 0 to 1.
    """
    rules = _rules(settings, max_tokens)
    return run_checkpoint("chunks", _columns(rows, quarantined_share), "chunk_id", rules, docs_folder)


def _columns(rows: Sequence[Mapping[str, Any]], quarantined_share: float) -> dict[str, list[Any]]:
    return {
        "chunk_id": [str(row["chunk_id"]) for row in rows],
        "doc_id_length": [len(row["doc_id"] or "") for row in rows],
        "section_length": [len(row["section"] or "") for row in rows],
        "group_count": [len(row["groups"] or ()) for row in rows],
        "text_length": [len((row["text"] or "").strip()) for row in rows],
        "tokens": [row["tokens"] for row in rows],
        "norm": [row["norm"] for row in rows],
        "first_of_its_text": _first_of_its_text(rows),
        "quarantined_share": [quarantined_share] * len(rows),
    }


def _first_of_its_text(rows: Sequence[Mapping[str, Any]]) -> list[bool]:
    seen: set[tuple[str, str]] = set()
    first = []
    for row in rows:
        key = (row["doc_id"], content_hash((row["text"] or "").encode()))
        first.append(key not in seen)
        seen.add(key)
    return first


def _rules(settings: Validation, max_tokens: int) -> list[Rule]:
    between, mean = "ExpectColumnValuesToBeBetween", settings.min_mean_chunk_tokens
    rows, share = settings.min_chunks, settings.max_quarantined_share
    norm = {"min_value": 1 - _NORM_TOLERANCE, "max_value": 1 + _NORM_TOLERANCE}
    return [
        ("ExpectTableRowCountToBeBetween", {"min_value": rows}, f"at least {rows} chunks are visible"),
        (
            "ExpectColumnMaxToBeBetween",
            {"column": "quarantined_share", "max_value": share},
            f"at most {share:.0%} of the documents are quarantined",
        ),
        ("ExpectColumnValuesToBeUnique", {"column": "chunk_id"}, "each chunk's id stands once"),
        (between, {"column": "doc_id_length", "min_value": 1}, "each chunk names its document"),
        (between, {"column": "section_length", "min_value": 1}, "each chunk names its section"),
        (between, {"column": "group_count", "min_value": 1}, "each chunk has a group that may read it"),
        (between, {"column": "text_length", "min_value": 1}, "each chunk has text"),
        (
            "ExpectColumnValuesToBeInSet",
            {"column": "first_of_its_text", "value_set": [True], "mostly": 1 - settings.max_duplicate_share},
            f"at most {settings.max_duplicate_share:.0%} of the chunks repeat a text of their document",
        ),
        (
            between,
            {"column": "tokens", "min_value": 1, "max_value": max_tokens},
            f"each chunk has 1 to {max_tokens} tokens",
        ),
        (
            "ExpectColumnMeanToBeBetween",
            {"column": "tokens", "min_value": mean},
            f"chunks have at least {mean:g} tokens on average",
        ),
        ("ExpectColumnValuesToNotBeNull", {"column": "norm"}, "each vector has a length"),
        (between, {"column": "norm", **norm}, "each vector is finite and of length 1"),
    ]
