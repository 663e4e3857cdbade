"""How a language model reads packed trees: in one pass where it can, else sequence by sequence."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from equipoise.errors import ModelError

from .evaluating import evaluating
from .features import tree_mask
from .quantizing import is_quantized

_SHARED, _BRANCHES = 6, (4, 5)
"""The tree that is tried: tokens that two sequences begin with, and those they end with."""
_ROUNDING, _ROUNDING_OF_4_BITS = 1e-4, 5e-2


class Window(NamedTuple):
    """How far back some layers of a model see.

    Args:
        tokens: how many tokens a token sees, itself included.
        by_place: whether the model counts places in its input; else it sees what the mask shows.
    """

    tokens: int
    by_place: bool


class TreeSequences(NamedTuple):
    """The sequences of a batch of trees, from the root to each leaf.

    Args:
        input_ids: leaves × tokens, padded on the right.
        attention_mask: leaves × tokens, 1 on tokens.
        places: for each node, rows × tokens, where it stands in the flattened leaves × tokens.
    """

    input_ids: Tensor
    attention_mask: Tensor
    places: Tensor


def unpack(inputs: Mapping[str, Tensor]) -> TreeSequences:
    """Take trees apart.

    Args:
        inputs: "input_ids", "position_ids", "ends" (rows × tokens) and "length" (rows,), as `pad_rows` makes them.
    """
    ids, depths, ends = inputs["input_ids"], inputs["position_ids"], inputs["ends"]
    places = torch.arange(ids.shape[1], device=ids.device)
    # A row that nobody reads is one leaf of padding.
    leaves = (ends == places + 1) & (places < inputs["length"].clamp(min=1)[:, None])
    rows, last = leaves.nonzero(as_tuple=True)
    seen = (places <= last[:, None]) & (last[:, None] < ends[rows])
    leaf, node = seen.nonzero(as_tuple=True)
    shape = len(rows), int(depths.max()) + 1
    tokens, mask = ids.new_zeros(shape), ids.new_zeros(shape)
    tokens[leaf, depths[rows[leaf], node]] = ids[rows[leaf], node]
    mask[leaf, depths[rows[leaf], node]] = 1
    # The first leaf that is not before a node comes after it on a way from the root.
    before = leaves.flatten().cumsum(0).view(leaves.shape) - leaves.long()
    return TreeSequences(tokens, mask, before.clamp(max=len(rows) - 1) * shape[1] + depths)


def find_window(config: PreTrainedConfig) -> Window | None:
    """Return the smallest window of a model's layers; None where all see everything before them."""
    text = config.get_text_config()
    by_mask = [getattr(text, name, None) for name in ("sliding_window", "attention_chunk_size")]
    by_place = [getattr(text, name, None) for name in ("window_size", "attention_window_size")]
    found = [
        Window(size, counted)
        for sizes, counted in ((by_mask, False), (by_place, True))
        for size in sizes
        if isinstance(size, int) and size > 0
    ]
    return min(found, default=None)


@torch.no_grad()
def reads_trees(backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Try whether a language model gives the same hidden states for a packed tree as for its sequences.

    It does where it takes a mask of four dimensions and positions, and attends to nothing else: not where it counts
    positions by itself (ALiBi), and not where it is recurrent.

    Args:
        backbone: the language model.
        tokenizer: its tokenizer.

    Raises:
        ModelError: it cannot read, or what a token stands for depends on later ones.
    """
    if backbone.device.type == "meta":
        return True
    with evaluating(backbone):
        return _try_tree(backbone, _ordinary_tokens(backbone, tokenizer, _SHARED + sum(_BRANCHES)))


def _try_tree(backbone: PreTrainedModel, tokens: Sequence[int]) -> bool:
    ids = torch.tensor([tokens], device=backbone.device)
    first, _ = _BRANCHES
    branch = torch.arange(_SHARED + first, len(tokens), device=ids.device)
    shared = torch.arange(_SHARED, device=ids.device)
    ways = (torch.arange(_SHARED + first, device=ids.device), torch.cat([shared, branch]))
    try:
        alone = [backbone.base_model(input_ids=ids[:, way], use_cache=False).last_hidden_state[0] for way in ways]
    except Exception as error:  # whatever the architecture raises
        raise ModelError(
            f"model: {type(backbone).__name__} ({backbone.config.model_type}) cannot read a text "
            f"({type(error).__name__}: {str(error)[:120]}); choose another model, such as smollm2-135m."
        ) from error
    limit = (_ROUNDING_OF_4_BITS if is_quantized(backbone) else _ROUNDING) * float(alone[0].abs().max())
    if _distance(alone[0][:_SHARED], alone[1][:_SHARED]) > limit:
        raise ModelError(
            f"model: {type(backbone).__name__} ({backbone.config.model_type}) reads a text in both directions, so that "
            "it cannot be prompted (format: prompt); choose a decoder, such as smollm2-135m, or set format: head."
        )
    ends = torch.arange(1, len(tokens) + 1, device=ids.device)
    ends[: _SHARED + first] = _SHARED + first
    ends[:_SHARED] = ends[_SHARED + first :] = len(tokens)
    depths = torch.arange(len(tokens), device=ids.device)
    depths[_SHARED + first :] -= first
    mask = tree_mask(ends[None], backbone.dtype)
    try:
        packed = backbone.base_model(
            input_ids=ids, position_ids=depths[None], attention_mask=mask, use_cache=False
        ).last_hidden_state[0]
    except Exception:  # it takes no such mask, or no positions
        return False
    return max(_distance(packed[way], states) for way, states in zip(ways, alone, strict=True)) <= limit


def _distance(left: Tensor, right: Tensor) -> float:
    return float((left - right).abs().max())


def _ordinary_tokens(backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, count: int) -> list[int]:
    """Return tokens that stand for pieces of text, all different where there are as many."""
    rows = backbone.get_input_embeddings().weight.shape[0]
    special = set(tokenizer.all_special_ids)
    found = [token for token in range(min(rows, len(tokenizer)) - 1, -1, -1) if token not in special][: 4 * count : 4]
    return [found[place % len(found)] for place in range(count)]
