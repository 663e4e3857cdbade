"""Writing texts with the language model."""

from collections.abc import Sequence
from typing import cast

import torch
from transformers import GenerationMixin

from equipoise.kinds import Task, Written

from .model import MultiTaskModel


@torch.inference_mode()
def generate(model: MultiTaskModel, task: Task, prompts: Sequence[Sequence[int]]) -> list[Written]:
    """Write a text for each prompt, by greedy search or beam search; the same each time.

    Args:
        model: the model.
        task: a task that writes text, for its limits.
        prompts: the prompts' tokens.

    Returns:
        The texts, without the whitespace around them; one that ends at once is empty.
    """
    tokenizer, limits = model.tokenizer, task.limits
    prefix = [] if model.prefix is None else model.prefix.tokens
    cache = None
    if model.prefix is not None and model.prefix.cached:
        cache = model.prefix.cache(len(prompts) * limits.beams)
    longest = len(prefix) + max(len(prompt) for prompt in prompts)
    # On the left, so that all prompts end where their answers begin.
    ids = torch.full((len(prompts), longest), tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    ids[:, : len(prefix)] = torch.tensor(prefix, dtype=torch.long)
    mask[:, : len(prefix)] = 1
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    written = cast(GenerationMixin, model.backbone).generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        past_key_values=cache,
        max_new_tokens=limits.max_new_tokens,
        num_beams=limits.beams,
        do_sample=False,
        temperature=None,
        top_p=None,
        top_k=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    answers = written[:, longest:]
    texts = tokenizer.batch_decode(answers, skip_special_tokens=True)
    ended = (answers == tokenizer.eos_token_id).any(dim=1).tolist()
    return [Written(text.strip(), is_complete) for text, is_complete in zip(texts, ended, strict=True)]
