"""The smallest knowledge base that a file can describe, for tests that need no more than a configuration."""

from __future__ import annotations

import json
from pathlib import Path

CONFIGURATION = """
name: small
schedule: "0 2 * * *"
ingestion:
  source: {type: folder, path: ../documents}
access: {default_groups: [staff]}
questions: {file: ../questions.jsonl}
answers: {prompt: ../prompt.md}
brakes: {max_opened_share: 1}
"""
QUESTION = {
    "id": "q",
    "question": "Who paints the harbour?",
    "family": "harbour",
    "groups": ["staff"],
    "expected": "refuse",
    "why": "absent",
}


def write_small(folder: Path, more: str = "") -> Path:
    """Write the file with what it names, and one document, below the folder. Returns the file's path."""
    for name in ("documents", "knowledge_bases"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "documents" / "a.md").write_text("# A\n\nThe lamp stands on the second floor.\n")
    (folder / "questions.jsonl").write_text(json.dumps(QUESTION))
    (folder / "prompt.md").write_text("---\nrefusal: No.\n---\n$context\n$question\n")
    file = folder / "knowledge_bases" / "small.yaml"
    file.write_text(CONFIGURATION + more)
    return file
