"""Answers a batch of requests, with or without an adapter, always choosing the likeliest token.

    python -m trainer.generate --base_model DIR --requests FILE --output FILE [--adapter_dir DIR]

Files and folders may be URIs of an object store (see trainer.store).
Requests: lines {"id": ..., "messages": [...]}. Answers: lines {"id", "text", "tokens", "finish": "stop"|"length"}
in the order of the requests. The output appears whole; a killed run started again goes on where it was.
Exit code 0: answered. 2: something given is wrong.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from trainer import defaults
from trainer.data import Messages, chunks, read_conversations
from trainer.failures import ExpectedFailure, exit_with
from trainer.files import digest_of, sha256_of_text, verified_manifest, write_atomically
from trainer.store import Place, beside, file_at, folder_at


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


def _expected_adapter(adapter_dir: Path, digest: str | None) -> dict[str, Any]:
    """Its manifest. Whole files are not enough: whoever can write there could have put another adapter in its place."""
    manifest = verified_manifest(adapter_dir)
    found = digest_of(manifest["files"])
    if digest is not None and found != digest:
        raise ExpectedFailure(
            f"Expected adapter {digest} in {adapter_dir}, found adapter {found}. Restore the folder, or train again."
        )
    return manifest


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m trainer.generate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--base_model", required=True, help="folder of the base model, or a cached name")
    parser.add_argument("--requests", required=True, help='file or URI: lines {"id": ..., "messages": [...]}')
    parser.add_argument("--output", required=True, help="JSONL file of the answers, or its URI")
    parser.add_argument("--adapter_dir", help="output of trainer.train_lora")
    parser.add_argument("--adapter_digest", help="of the adapter that is meant, as train_lora prints it")
    parser.add_argument("--max_new_tokens", type=int, default=defaults.MAX_NEW_TOKENS)
    parser.add_argument("--batch_size", type=int, default=defaults.ANSWER_BATCH_SIZE)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Checks what was given before the model is loaded, answers what is not answered yet, writes the output."""
    options = arguments(argv)
    with ExitStack() as opened:
        asked = opened.enter_context(file_at(options.requests))
        requests = read_conversations(asked, last_role="user")
        _refuse_repeated_ids(requests.rows)
        adapter = opened.enter_context(folder_at(options.adapter_dir)) if options.adapter_dir else None
        manifest = _expected_adapter(adapter, options.adapter_digest) if adapter else None
        answerer = Answerer(options.base_model, adapter, options.batch_size)
        where, output = opened.enter_context(beside(options.output))
        output.parent.mkdir(parents=True, exist_ok=True)
        depends_on = [answerer.revision, manifest, requests.sha256, options.max_new_tokens]
        partial = partial_file(output, depends_on)
        where.fetch_file(partial)
        known = _answered(partial)
        missing = [row for row in requests.rows if row["id"] not in known]
        _answer_missing(answerer, missing, partial, where, options.max_new_tokens)
        known = _answered(partial)
        write_atomically(output, "".join(json.dumps(known[row["id"]]) + "\n" for row in requests.rows))
        where.send(output)
        where.remove(partial)
        partial.unlink()


def _answer_missing(
    answerer: Answerer, requests: list[dict[str, Any]], partial: Path, where: Place, max_new_tokens: int
) -> None:
    with partial.open("a", encoding="utf-8") as file:
        answers = answerer.answers([row["messages"] for row in requests], max_new_tokens)
        for done, (index, answer) in enumerate(answers, start=1):
            file.write(json.dumps({"id": requests[index]["id"], **asdict(answer)}) + "\n")
            file.flush()
            print(f"answer {done}/{len(requests)}", flush=True)
            if done % answerer.batch_size == 0:
                where.send(partial)


def partial_file(output: Path, depends_on: list[Any]) -> Path:
    """Where answers wait until all are there. Named after everything that an answer depends on, so that answers of
    another model are never taken over."""
    return output.with_name(f".{output.name}.{sha256_of_text(json.dumps(depends_on))[:16]}")


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
