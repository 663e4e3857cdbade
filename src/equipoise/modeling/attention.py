"""How a backbone attends on CPUs."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

_LONGEST = 192


@contextmanager
def plain_attention(backbone: PreTrainedModel, longest: int) -> Iterator[None]:
    """Let a backbone attend by plain matrix products for a while, where rows are short.

    In bfloat16 on CPUs, PyTorch's fused kernel (2.13) takes three times as long at 100 tokens, both directions, and
    somewhat less at 256; with it a step of SmolLM2 on rows of 90 tokens takes 1.2 times as long.

    Args:
        backbone: a backbone; one that attends in another way of its own is left alone.
        longest: its longest input in tokens.
    """
    if longest > _LONGEST or backbone.config._attn_implementation != "sdpa":
        yield
        return
    backbone.set_attn_implementation("eager")
    try:
        yield
    finally:
        backbone.set_attn_implementation("sdpa")
