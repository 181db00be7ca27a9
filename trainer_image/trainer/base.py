"""The base model: loading it, what names its content, and how its chat template ends a turn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import transformers
from jinja2 import TemplateError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from trainer.data import Example, Messages
from trainer.failures import ExpectedFailure
from trainer.files import sha256_of_file, sha256_of_text

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load(base_model: str, precision: str = "auto") -> tuple[Any, Any]:
    """(model, tokenizer) from a folder, or from the local Hugging Face cache; never from the network.

    precision: of the base model's weights, a name of PRECISIONS; an adapter's own are always fp32.
    """
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if "OMP_NUM_THREADS" not in os.environ:
        # The cores that this process may use, which in a container or a pinned task are fewer than the machine's.
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    try:
        config = AutoConfig.from_pretrained(base_model, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(base_model, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            base_model,
            local_files_only=True,
            use_safetensors=True,
            dtype=PRECISIONS[precise(precision)],
            attn_implementation=_attention(config),
        )
    except (OSError, ValueError) as error:
        raise ExpectedFailure(
            f"Expected a model with its tokenizer at {base_model}, found none that loads ({_first_line(error)}). "
            "Give the folder of a model, or a name that is in the local Hugging Face cache."
        ) from error
    return model.to(device()), tokenizer


def precise(precision: str) -> str:
    """What `auto` stands for on this machine."""
    if precision != "auto":
        return precision
    # On CPUs without bf16 instructions, bf16 was measured 10 times slower than fp32.
    return "bf16" if device().type == "cuda" else "fp32"


def device() -> torch.device:
    """The accelerator where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def revision(base_model: str, model: Any) -> str:
    """What names the weights: a hash of the folder's weight files, or the commit of a cached repository."""
    folder = Path(base_model)
    if not folder.is_dir():
        return str(model.config._commit_hash)
    weights = sorted(folder.glob("*.safetensors"))
    return sha256_of_text("".join(f"{path.name} {sha256_of_file(path)}\n" for path in weights))


def tokenizer_hash(tokenizer: Any) -> str:
    """Changes with the vocabulary, the merges and the way that text is split."""
    return sha256_of_text(tokenizer.backend_tokenizer.to_str())


def stop_ids(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer. Templates may end a turn with another token than the tokenizer's own."""
    configured = model.generation_config.eos_token_id
    named = configured if isinstance(configured, list) else [configured]
    return {token for token in (*named, tokenizer.eos_token_id) if token is not None}


def rendered_text(tokenizer: Any, messages: Messages, ask: bool) -> str:
    """A conversation as the model reads it; with `ask`, up to where its answer begins.

    Where the template refuses the system role, as gemma's does, a system message stands before the first user message.
    Training and generation both come through here, so a prompt is the same text in both.
    Example: system "Be short.", user "Hi" -> with gemma: user "Be short.\n\nHi"
    """
    try:
        return _applied(tokenizer, messages, ask)
    except TemplateError as error:
        if messages[0]["role"] != "system":
            raise _refused(error) from error
    try:
        return _applied(tokenizer, _without_system_role(messages), ask)
    except TemplateError as error:
        raise _refused(error) from error


def prompt_text(tokenizer: Any, messages: Messages) -> str:
    """The conversation as the model reads it, up to where its answer begins."""
    return rendered_text(tokenizer, messages, ask=True)


def token_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Ids of a rendered text. The template writes special tokens itself, so none is added."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def render(tokenizer: Any, stops: set[int], messages: Messages) -> Example:
    """A training example: prompt and completion are split in the text and tokenized apart, as in generation.

    Example: user "Hi", assistant "Yo" -> prompt "...user\\nHi<|im_end|>\\n<|im_start|>assistant\\n",
    completion "Yo<|im_end|>". The line break that the template writes after the end token is not learnt.
    """
    prompt = prompt_text(tokenizer, messages[:-1])
    whole = rendered_text(tokenizer, messages, ask=False)
    if not whole.startswith(prompt):
        raise ExpectedFailure(
            "Expected the chat template to write a conversation as its prompt plus the answer, found that it "
            "rewrites the prompt. Use a template that only appends."
        )
    completion = token_ids(tokenizer, whole[len(prompt) :])
    ends = [position for position, token in enumerate(completion) if token in stops]
    # Without the end token in the loss, the model would never learn to stop.
    learnt = completion[: ends[-1] + 1] if ends else (*completion, tokenizer.eos_token_id)
    return Example(token_ids(tokenizer, prompt), learnt)


def left_padded(rows: list[tuple[int, ...]], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(ids, mask, positions), each [rows, longest row]: rows end together, so answers stand at the right edge."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return ids.to(device()), mask.to(device()), positions.to(device())


def _applied(tokenizer: Any, messages: Messages, ask: bool) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask))


def _without_system_role(messages: Messages) -> Messages:
    system, *others = messages
    if not others or others[0]["role"] != "user":
        return messages
    return [{**others[0], "content": f"{system['content']}\n\n{others[0]['content']}"}, *others[1:]]


def _refused(error: TemplateError) -> ExpectedFailure:
    return ExpectedFailure(
        f"Expected conversations that the model's chat template accepts, found one that it refuses ({error}). "
        "Let user and assistant take turns, the user first."
    )


def _attention(config: Any) -> str:
    # Gemma-2 gives NaN with SDPA and padding.
    return "eager" if config.model_type == "gemma2" else "sdpa"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
