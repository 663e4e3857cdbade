"""Whether weights come from a base at all."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from equipoise.errors import ModelError

LEAST_COSINE = 0.1
"""Below this median cosine, weights are taken for another model's. Those that have nothing to do with each other have
0.00 ± 0.03 in matrices of 1,024 numbers, and less in larger ones. MiniLM tuned for sixty steps with AdamW keeps 1.00 at
a learning rate of 2e-5, 0.995 at 1e-3, and 0.75 at 1e-2, where the difference is nearly as large as the weights."""
_BIG = 1024


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


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one.flatten().double(), other.flatten().double(), dim=0))
