"""The model of a merge, written into its folder."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from equipoise.modeling import quiet_transformers

from .heads import copy_carried, save_heads, save_with_head
from .inputs import MergeInputs
from .low_rank import Factors, name_as_trained, put_factors


def write_model(
    inputs: MergeInputs, merged: Mapping[str, Tensor], factors: Mapping[str, Factors] | None, folder: Path
) -> None:
    """Write a merge.

    Args:
        inputs: what was merged.
        merged: the merged task vector.
        factors: the same as products of two, where an adapter is written; the base's backbone then keeps it.
        folder: where.

    Raises:
        ModelError: what was merged does not fit the class of the model that is written.
    """
    if factors is None:
        _write_weights(inputs, merged, folder)
    else:
        put_factors(inputs.base.backbone, factors, inputs.base.name)
        _write_adapter(inputs, folder)
    save_heads(inputs.heads.apart, folder)
    copy_carried(inputs.experts, folder)


def _write_weights(inputs: MergeInputs, merged: Mapping[str, Tensor], folder: Path) -> None:
    base, heads = inputs.base, inputs.heads
    with base.changed({name: change for name, change in merged.items() if name not in heads.before}):
        if inputs.combined is not None:
            inputs.combined.put_on(base).save_pretrained(folder)
        elif heads.like is not None:
            beside = {
                name: tensor + merged[name] if name in merged else tensor for name, tensor in heads.before.items()
            }
            save_with_head(base, heads.like, beside | heads.own, folder)
        else:
            with quiet_transformers():
                base.backbone.save_pretrained(folder)
                base.tokenizer.save_pretrained(folder)


def _write_adapter(inputs: MergeInputs, folder: Path) -> None:
    if inputs.combined is not None:
        inputs.combined.put_on(inputs.base).save_pretrained(folder)
        return
    with quiet_transformers():
        inputs.base.backbone.save_pretrained(folder)
    outer = {vector.outer for vector in inputs.vectors.values()}
    if len(outer) == 1:
        name_as_trained(folder, outer.pop())
