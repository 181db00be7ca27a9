"""Greedy decoding of a batch that loses a row as soon as that row has ended, behind a beginning that all share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from trainer.base import device, left_padded

_PAD = 0  # masked, so any id of the vocabulary will do


@dataclass(frozen=True)
class Beginning:
    """Tokens that every prompt begins with, and what the model made of them: computed once for all of them."""

    tokens: tuple[int, ...]
    cache: DynamicCache

    @classmethod
    def of(cls, model: Any, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> Beginning:
        """The longest beginning that the prompts share, short of a whole prompt, since each must have a token left.

        None is taken where a sliding window would not reach over all of a row: the padding of a short prompt stands
        behind the beginning, and would fill the window in its place.
        """
        shared = tuple(os.path.commonprefix(list(prompts)))[: min(map(len, prompts)) - 1]
        window = getattr(model.config, "sliding_window", None)
        if window and max(map(len, prompts)) + max_new_tokens > window:
            shared = ()
        cache = DynamicCache(config=model.config)
        if shared:
            with torch.inference_mode():
                ids = torch.tensor([shared], device=device())
                model(input_ids=ids, past_key_values=cache, logits_to_keep=1)
        return cls(shared, cache)

    def for_rows(self, rows: int) -> DynamicCache:
        """A cache of its own for a batch, which decoding may change."""
        cache = deepcopy(self.cache)
        if self.tokens:
            cache.batch_repeat_interleave(rows)
        return cache


def greedy(
    model: Any, prompts: list[tuple[int, ...]], stops: set[int], max_new_tokens: int, beginning: Beginning
) -> list[list[int]]:
    """The tokens that follow each prompt, up to a stop token (included) or max_new_tokens.

    `generate` of transformers computes every row until the last one has ended; here a finished row leaves
    the batch and its cache, which saves about as much as answers differ in length.
    """
    known = len(beginning.tokens)
    ids, mask, positions = left_padded([prompt[known:] for prompt in prompts], _PAD)
    mask = torch.cat([mask.new_ones(len(prompts), known), mask], dim=1)
    positions = positions + known
    cache = beginning.for_rows(len(prompts))
    said: list[list[int]] = [[] for _ in prompts]
    open_rows = list(range(len(prompts)))
    with torch.inference_mode():
        for _ in range(max_new_tokens):
            logits = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                logits_to_keep=1,
            ).logits
            chosen = logits[:, -1].argmax(-1).tolist()
            for row, token in zip(open_rows, chosen, strict=True):
                said[row].append(token)
            staying = [place for place, token in enumerate(chosen) if token not in stops]
            if not staying:
                break
            if len(staying) < len(open_rows):
                kept = torch.tensor(staying, device=device())
                cache.batch_select_indices(kept)
                mask, positions = mask[kept], positions[kept]
                open_rows = [open_rows[place] for place in staying]
            ids = torch.tensor([[chosen[place]] for place in staying], device=device())
            mask = torch.cat([mask, mask.new_ones(len(staying), 1)], dim=1)
            positions = positions[:, -1:] + 1
    return said
