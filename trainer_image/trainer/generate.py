"""Answers a batch of requests, with or without an adapter, always choosing the likeliest token.

    python -m trainer.generate --base_model DIR --requests FILE --output FILE [--adapter_dir DIR]

Requests: lines {"id": ..., "messages": [...]}. Answers: lines {"id", "text", "tokens", "finish": "stop"|"length"}
in the order of the requests. The output appears whole; a killed run started again goes on where it was.
Exit code 0: answered. 2: something given is wrong.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from trainer import defaults
from trainer.data import Messages, chunks, read_conversations
from trainer.failures import ExpectedFailure, exit_with
from trainer.files import sha256_of_file, sha256_of_text, verified_manifest, write_atomically


@dataclass(frozen=True)
class Answer:
    """What the model said to one conversation."""

    text: str
    tokens: int
    """Without the end token."""
    finish: Literal["stop", "length"]
    """Whether the model ended its answer or ran into the limit."""


class Answerer:
    """A base model, with an adapter merged into its weights where one is given.

    Loading takes seconds and a gigabyte: make one and keep it. Greedy decoding, so the same conversation
    gets the same answer; only the padding of its batch can tip a choice between tokens that are near equal.
    """

    def __init__(
        self,
        base_model: str,
        adapter_dir: str | Path | None = None,
        batch_size: int = defaults.ANSWER_BATCH_SIZE,
    ):
        from trainer import base

        self.model, self.tokenizer = base.load(str(base_model))
        self.revision = base.revision(str(base_model), self.model)
        self.batch_size = batch_size
        self._stops = base.stop_ids(self.model, self.tokenizer)
        if adapter_dir is not None:
            self.model = _merged(self.model, self.revision, Path(adapter_dir))
        self.model.eval()

    def answer(self, conversations: Sequence[Messages], max_new_tokens: int = defaults.MAX_NEW_TOKENS) -> list[Answer]:
        """The answers, in the order of the conversations."""
        found = dict(self.answers(conversations, max_new_tokens))
        return [found[index] for index in range(len(conversations))]

    def answers(
        self, conversations: Sequence[Messages], max_new_tokens: int = defaults.MAX_NEW_TOKENS
    ) -> Iterator[tuple[int, Answer]]:
        """(index of the conversation, its answer), batch by batch, conversations of like length together."""
        from trainer.decoding import Beginning, greedy
        from trainer.threads import side_by_side

        prompts = [self._prompt(messages, max_new_tokens) for messages in conversations]
        if not prompts:
            return
        beginning = Beginning.of(self.model, prompts, max_new_tokens)

        def answered(batch: list[int]) -> list[tuple[int, Answer]]:
            rows = greedy(self.model, [prompts[index] for index in batch], self._stops, max_new_tokens, beginning)
            return list(zip(batch, map(self._answer, rows), strict=True))

        by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        for done in side_by_side(answered, list(chunks(by_length, self.batch_size))):
            yield from done

    def _prompt(self, messages: Messages, max_new_tokens: int) -> tuple[int, ...]:
        from trainer import base

        prompt = base.token_ids(self.tokenizer, base.prompt_text(self.tokenizer, messages))
        room = self.model.config.max_position_embeddings - max_new_tokens
        if len(prompt) > room:
            raise ExpectedFailure(
                f"Expected prompts of at most {room} tokens, found one of {len(prompt)}. Shorten its context."
            )
        return prompt

    def _answer(self, tokens: list[int]) -> Answer:
        ended = bool(tokens) and tokens[-1] in self._stops
        said = tokens[:-1] if ended else tokens
        text = self.tokenizer.decode(said, skip_special_tokens=True)
        return Answer(text, len(said), "stop" if ended else "length")


def _merged(model: Any, revision: str, adapter_dir: Path) -> Any:
    """The base with the adapter's weights added: an answer then costs what it costs without an adapter."""
    manifest = verified_manifest(adapter_dir)
    trained_on = manifest["base_model"]["revision"]
    if trained_on != revision:
        raise ExpectedFailure(
            f"Expected the base model that {adapter_dir} was trained on (revision {trained_on[:12]}), found "
            f"revision {revision[:12]}. Give that base model, or train again on this one."
        )
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(adapter_dir)).merge_and_unload()


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m trainer.generate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--base_model", required=True, help="folder of the base model, or a cached name")
    parser.add_argument("--requests", required=True, type=Path, help='lines {"id": ..., "messages": [...]}')
    parser.add_argument("--output", required=True, type=Path, help="JSONL file of the answers")
    parser.add_argument("--adapter_dir", type=Path, help="output folder of trainer.train_lora")
    parser.add_argument("--max_new_tokens", type=int, default=defaults.MAX_NEW_TOKENS)
    parser.add_argument("--batch_size", type=int, default=defaults.ANSWER_BATCH_SIZE)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Checks what was given before the model is loaded, answers what is not answered yet, writes the output."""
    options = arguments(argv)
    requests = read_conversations(options.requests, last_role="user").rows
    _refuse_repeated_ids(requests)
    if options.adapter_dir is not None:
        verified_manifest(options.adapter_dir)
    answerer = Answerer(options.base_model, options.adapter_dir, options.batch_size)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_file(options, answerer.revision)
    known = _answered(partial)
    _answer_missing(answerer, [row for row in requests if row["id"] not in known], partial, options)
    known = _answered(partial)
    write_atomically(options.output, "".join(json.dumps(known[row["id"]]) + "\n" for row in requests))
    partial.unlink()


def _answer_missing(
    answerer: Answerer, requests: list[dict[str, Any]], partial: Path, options: argparse.Namespace
) -> None:
    with partial.open("a", encoding="utf-8") as file:
        answers = answerer.answers([row["messages"] for row in requests], options.max_new_tokens)
        for done, (index, answer) in enumerate(answers, start=1):
            file.write(json.dumps({"id": requests[index]["id"], **asdict(answer)}) + "\n")
            file.flush()
            print(f"answer {done}/{len(requests)}", flush=True)


def _partial_file(options: argparse.Namespace, revision: str) -> Path:
    """Named after everything that an answer depends on, so that answers of another model are never taken over."""
    adapter = options.adapter_dir and sha256_of_file(options.adapter_dir / "manifest.json")
    inputs = [revision, adapter, sha256_of_file(options.requests), options.max_new_tokens]
    return options.output.with_name(f".{options.output.name}.{sha256_of_text(json.dumps(inputs))[:16]}")


def _answered(partial: Path) -> dict[str, dict[str, Any]]:
    """Whole lines of the partial file by id; a line that a kill broke off is cut away."""
    if not partial.is_file():
        return {}
    text = partial.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_atomically(partial, whole)
    return {row["id"]: row for row in map(json.loads, whole.splitlines())}


def _refuse_repeated_ids(requests: list[dict[str, Any]]) -> None:
    ids = [row["id"] for row in requests]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated:
        raise ExpectedFailure(
            f"Expected every request to have an id of its own, found {', '.join(repeated)} more than once. Rename them."
        )


if __name__ == "__main__":
    exit_with(main)
