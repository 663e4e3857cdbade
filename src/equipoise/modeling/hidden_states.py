"""From a batch to the backbone's last hidden states: of texts, of trees, and of trees that are taken apart."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from .backbone import is_decoder
from .features import places_before, tree_mask
from .trees import unpack

if TYPE_CHECKING:
    from .model import MultiTaskModel


def read_hidden_states(model: "MultiTaskModel", inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Read a batch.

    Args:
        model: the model.
        inputs: what `Collator` made of the rows, each rows × tokens.

    Returns:
        The hidden states, rows × tokens × width, and the mask, rows × tokens, 1 on tokens of the text.
    """
    if "ends" not in inputs:
        hidden = model.extractor(**inputs, **_options(model.backbone)).last_hidden_state
        return hidden, inputs["attention_mask"]
    mask = places_before(inputs["text_length"], inputs["input_ids"].shape[1]).long()
    trees = {name: tensor for name, tensor in inputs.items() if name != "text_length"}
    return (_read_sequences(model, trees) if model.unpacks(trees) else _read_trees(model, trees)), mask


def _options(backbone: PreTrainedModel) -> dict[str, bool]:
    # A cache is for writing on; training has no use for it.
    return {"use_cache": False} if is_decoder(backbone.config) else {}


def _read_trees(model: "MultiTaskModel", inputs: dict[str, Tensor]) -> Tensor:
    """Return the hidden states of trees, rows × tokens × width, by one pass over them as they are."""
    trees: dict[str, Any] = {
        "input_ids": inputs["input_ids"],
        "position_ids": inputs["position_ids"],
        "attention_mask": tree_mask(inputs["ends"], model.backbone.dtype),
    }
    trees = trees | _options(model.backbone) if model.prefix is None else model.prefix.put_before(trees)
    return model.extractor(**trees).last_hidden_state


def _read_sequences(model: "MultiTaskModel", inputs: dict[str, Tensor]) -> Tensor:
    """Return the same, by reading each sequence of a tree by itself."""
    found = unpack(inputs)
    ids, mask, before = found.input_ids, found.attention_mask, 0
    if model.prefix is not None:
        tokens = torch.tensor(model.prefix.tokens, device=ids.device).expand(len(ids), -1)
        before = tokens.shape[1]
        ids, mask = torch.cat([tokens, ids], dim=1), torch.cat([torch.ones_like(tokens), mask], dim=1)
    hidden = model.extractor(input_ids=ids, attention_mask=mask, **_options(model.backbone)).last_hidden_state
    return hidden[:, before:].flatten(0, 1)[found.places]
