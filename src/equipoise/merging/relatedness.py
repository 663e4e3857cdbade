"""Whether weights come from a base at all."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equipoise.errors import ModelError, shorten

LEAST_COSINE = 0.1
"""Below this median cosine, weights are taken for another model's. Those that have nothing to do with each other have
0.00 ± 0.03 in matrices of 1,024 numbers, and less in larger ones. MiniLM tuned for sixty steps with AdamW keeps 1.00 at
a learning rate of 2e-5, 0.995 at 1e-3, and 0.75 at 1e-2, where the difference is nearly as large as the weights."""
_BIG = 1024
_FREE = re.compile(
    r"_.*|architectures|transformers_version|(torch_)?dtype|id2label|label2id|num_labels|problem_type|finetuning_task"
    r"|use_cache|output_\w+|return_dict\w*|\w+_token_id|tie_word_embeddings|gradient_checkpointing|initializer_\w+"
    r"|\w*(dropout|drop)(_prob)?|\w*pdrop|layerdrop|classifier_\w+|summary_\w+|task_specific_params|quantization_config"
    r"|(max|n)_(position_embeddings|positions)|vocab_size|chunk_size_feed_forward|pretraining_tp|use_flash_attn\w*"
    r"|deterministic_flash_attn|sparse_\w+|reference_compile|repad_logits_with_grad|legacy"
)
"""Keys of a configuration that do not change what a model computes from its weights, or only what its head computes, or
that show in the shapes of its tensors."""


def check_related(folder: Path, tuned: Mapping[str, Tensor], before: Mapping[str, Tensor], base: str) -> None:
    """Make sure that an expert's weights lie in the direction of the base's.

    Tuning moves weights by a part of their size; what was trained from other first weights is as far from the base as
    random numbers are, also where all shapes agree. Adding such a difference to the base gives no model at all.

    Args:
        folder: the expert's folder.
        tuned: its tensors by the base's names.
        before: the base's.
        base: the base's name.

    Raises:
        ModelError: the median cosine between its matrices and the base's is below `LEAST_COSINE`.
    """
    matrices = {name: tensor for name, tensor in before.items() if tensor.dim() > 1}
    # Small ones say little, but something where there are no others.
    matrices = {name: tensor for name, tensor in matrices.items() if tensor.numel() >= _BIG} or matrices
    cosines = {name: _cosine(tuned[name], tensor) for name, tensor in matrices.items() if tensor.any()}
    if not cosines:
        return
    median = sorted(cosines.values())[len(cosines) // 2]
    if median < LEAST_COSINE:
        lowest = min(cosines, key=cosines.__getitem__)
        raise ModelError(
            f"{folder}: not tuned from '{base}': the cosine between its matrices and the base's is {median:.2f} in the "
            f"median ({cosines[lowest]:.2f} in '{lowest}'), as between models that have nothing to do with each other; "
            f"expected {LEAST_COSINE} or more. Name the base it was tuned from with --base."
        )


def check_same_settings(folder: Path, tuned: Mapping[str, Any], before: Mapping[str, Any], base: str) -> None:
    """Make sure that an expert computes with its weights what the base does: another number of heads of attention, say,
    leaves all shapes as they are.

    Args:
        folder: the expert's folder.
        tuned: its configuration, with defaults.
        before: the base's.
        base: the base's name.

    Raises:
        ModelError: a value differs that changes what is computed.
    """
    for key in sorted(tuned.keys() & before.keys()):
        if tuned[key] != before[key] and not _FREE.fullmatch(key):
            found, expected = (shorten(repr(side[key]), 80) for side in (tuned, before))
            raise ModelError(
                f"{folder}: config.json: {key}: found {found}, expected {expected} as in the base '{base}', since the "
                "same weights would compute something else; merge experts of one base, or put that value back."
            )


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one.flatten().double(), other.flatten().double(), dim=0))
