"""What stands before every prompt, read by the model once."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel


class Prefix:
    """Tokens before every prompt, with the keys and values by which later tokens see them.

    Args:
        backbone: a causal language model; its weights must not change as long as this is used.
        tokens: the tokens, one or more.
        cached: keep keys and values; without them, as for a recurrent model, the tokens are read with every row.
    """

    def __init__(self, backbone: PreTrainedModel, tokens: Sequence[int], *, cached: bool = True) -> None:
        self.tokens = list(tokens)
        self.cached = cached
        if not cached:
            return
        cache = DynamicCache()
        with torch.inference_mode():
            backbone.base_model(
                input_ids=torch.tensor([self.tokens], device=backbone.device), past_key_values=cache, use_cache=True
            )
        self._states = [(layer.keys, layer.values) for layer in cache.layers]

    def cache(self, rows: int) -> DynamicCache:
        """Return what a model has read before a batch of that many rows; it grows as the model reads on."""
        return DynamicCache(
            [(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1)) for keys, values in self._states]
        )

    def put_before(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Put it before a batch of trees, which all see it.

        Args:
            inputs: "input_ids", "position_ids" (rows × tokens) and "attention_mask" (see `tree_mask`).
        """
        return {
            **inputs,
            "position_ids": inputs["position_ids"] + len(self.tokens),
            "attention_mask": pad(inputs["attention_mask"], (len(self.tokens), 0)),
            "past_key_values": self.cache(len(inputs["input_ids"])),
            "use_cache": True,
        }
