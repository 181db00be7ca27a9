"""Build a tuning set: examples of how to answer, with the context that the live release retrieves for them.

An adapter learns behaviour, never facts. So no example may come from a document family that a golden question is
about, nor from a document that none of `training.open_groups` may read; such passages are left out of contexts too.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

from liftgate.answering.answers import messages_for
from liftgate.answering.base_model import base_tokenizer
from liftgate.database import queries
from liftgate.errors import ConfigurationError, PromotionRefused
from liftgate.evaluation.families import Families, read_families
from liftgate.evaluation.forms import Call
from liftgate.evaluation.plain_text import quote_stands
from liftgate.evaluation.questions import read_questions
from liftgate.evaluation.sides import readers_of
from liftgate.fingerprints import canonical_json, digest_of
from liftgate.index.rows import Hit
from liftgate.prompts import Prompt, parse_prompt
from liftgate.releases.ledger import live
from liftgate.retrieval import Asked, Found, retrieve
from liftgate.runs import Run
from liftgate.text_files import read_text

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


Form = Literal["schema", "call", "label"]


@dataclass(frozen=True)
class Output:
    """What the adapter should write. Citations are filled in from the context."""

    summary: str
    risk: str
    next_steps: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A question with the answer that behaves as wanted: an output, the call of a tool, or a label.

    A refusal has none of them: it is the prompt's own sentence.
    """

    id: str
    question: str
    family: str
    groups: tuple[str, ...]
    expected: Literal["answer", "refuse"]
    sources: tuple[str, ...] = ()
    quote: str = ""
    output: Output | None = None
    call: Call | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        given = [part for part in (self.output, self.call, self.label) if part is not None]
        if len(given) != (self.expected == "answer"):
            raise ValueError("expected one of output, call and label for an answer, and none for a refusal")
        if self.label is not None and not self.label.strip():
            raise ValueError("expected a label, found an empty one")

    @property
    def form(self) -> Form:
        """In which form it answers, unless it refuses."""
        return "call" if self.call else "label" if self.label else "schema"


@dataclass(frozen=True)
class _Limits:
    """Which passages may be learnt from."""

    readers: dict[str, frozenset[str]]
    open_groups: frozenset[str]
    families: Families
    golden: frozenset[str]

    def open(self, uri: str) -> bool:
        return bool(self.readers.get(uri, frozenset()) & self.open_groups)

    def allow(self, uri: str) -> bool:
        return self.open(uri) and self.families.of(uri) not in self.golden


def build_tuning_set(runtime: Runtime, run: Run) -> str:
    """Build and store the tuning set of an adapter; returns its digest, which is its version.

    The same examples on the same release give the same digest, and nothing is written again.
    """
    with runtime.database.transaction() as connection:
        current = live(connection, run.kb)
    if current is None:
        raise PromotionRefused(
            f"Expected a live release of {run.kb} to retrieve contexts from, found none. Run kb_{run.kb}."
        )
    examples, limits = read_examples(run.adapter.examples), _limits(runtime, run)
    prompt = parse_prompt(current.makeup.prompt.text)
    found = retrieve(runtime, current.makeup, [Asked(one.question, one.groups) for one in examples])
    rows, left_out = [], Counter[str]()
    for example, hits in zip(examples, found, strict=True):
        row = _row(example, hits, limits, prompt)
        if isinstance(row, str):
            left_out[row] += 1
        else:
            rows.append(row)
    _count_tokens(runtime, current.makeup.base.model, rows)
    print(f"{len(rows)} of {len(examples)} examples; left out: {dict(left_out) or 'none'}")
    return _store(runtime, run, current.n, rows, dict(left_out))


def read_examples(path: Path | str) -> list[Example]:
    """The examples of a file. Raises ConfigurationError with every broken line."""
    shape, examples, broken = TypeAdapter(Example), [], []
    for number, line in enumerate(read_text(Path(path), "examples").splitlines(), start=1):
        try:
            examples.append(shape.validate_json(line))
        except ValidationError as error:
            broken.append(f"line {number}: {error.errors()[0]['msg']} at {error.errors()[0]['loc']}")
    if broken or not examples:
        found = "\n  ".join(broken[:20]) or "no line"
        raise ConfigurationError(f"Expected tuning examples in {path}, found:\n  {found}\nMend or remove these lines.")
    return examples


def _limits(runtime: Runtime, run: Run) -> _Limits:
    families = read_families(run.config.questions.families)
    golden = {question.family for question in read_questions(run.config.questions.file)}
    golden |= {families.of(uri) for q in read_questions(run.config.questions.file) for uri in q.sources}
    open_groups = frozenset(run.adapter.training.open_groups)
    return _Limits(readers_of(runtime, run.kb), open_groups, families, frozenset(golden))


def _row(example: Example, found: Found, limits: _Limits, prompt: Prompt) -> dict[str, Any] | str:
    """One example with its context, or the reason why it is left out."""
    if example.family in limits.golden or any(limits.families.of(uri) in limits.golden for uri in example.sources):
        return "its family is a source of a golden question"
    chunks = tuple(hit for hit in found.chunks if limits.allow(hit.uri))
    evidence = [hit for hit in chunks if hit.uri in example.sources and quote_stands(example.quote, hit.text)]
    if example.expected == "answer" and not evidence:
        return "its evidence is not in the context"
    if not chunks:
        return "no open passage was retrieved"
    context = Found(chunks, found.best_score, found.min_score)
    messages = messages_for(prompt, Asked(example.question, example.groups), context)
    answer = {"role": "assistant", "content": _completion(example, evidence[:1], prompt)}
    return {
        "id": example.id,
        "messages": [*messages, answer],
        "expected": example.expected,
        "form": example.form,
        "context_ids": [f"doc:{hit.doc_id}" for hit in chunks],
        "open": all(limits.open(hit.uri) for hit in chunks),
        "golden_family": any(limits.families.of(hit.uri) in limits.golden for hit in chunks),
        "lineage": [{"chunk": str(hit.id), "source": hit.source, "uri": hit.uri} for hit in chunks],
    }


def _completion(example: Example, evidence: list[Hit], prompt: Prompt) -> str:
    """What to write: the prompt's sentence for a refusal, a call or a label as it is, else JSON, citations first.

    So the first token decides. With refusals as JSON, a small model cited a source and then refused all the same.
    """
    if example.call is not None:
        return example.call.as_answer()
    if example.label is not None:
        return example.label
    if example.output is None:
        return prompt.refusal
    output = example.output
    answer = {
        "citations": [f"doc:{hit.doc_id}" for hit in evidence],
        "summary": output.summary,
        "risk": output.risk,
        "next_steps": list(output.next_steps),
    }
    return json.dumps(answer, ensure_ascii=False)


def _count_tokens(runtime: Runtime, base_model: str, rows: list[dict[str, Any]]) -> None:
    tokenizer = base_tokenizer(base_model, runtime.settings.models_dir)
    for row in rows:
        row["tokens"] = sum(tokenizer.count(message["content"]) for message in row["messages"])


def _store(runtime: Runtime, run: Run, release: int, rows: list[dict[str, Any]], left_out: dict[str, int]) -> str:
    """Two files: train.jsonl is what the trainer reads; checked.jsonl has the columns that the suite looks at."""
    lines = [json.dumps({"id": row["id"], "messages": row["messages"]}, ensure_ascii=False) for row in rows]
    digest = digest_of(lines)
    folder = runtime.files / "tuning_sets" / digest
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "checked.jsonl").write_text("".join(canonical_json(row) + "\n" for row in rows), encoding="utf-8")
    refusals = sum(row["expected"] == "refuse" for row in rows)
    counts = {"examples": len(rows), "refusals": refusals, "left_out": left_out, "release": release}
    with runtime.database.transaction() as connection:
        queries().store_tuning_set(
            connection,
            digest=digest,
            kb=run.kb,
            uri=str(folder),
            counts=canonical_json(counts),
            lineage=canonical_json({row["id"]: row["lineage"] for row in rows}),
            dataset_revision=run.adapter.dataset_revision,
            run_id=run.run_id,
        )
    return digest
