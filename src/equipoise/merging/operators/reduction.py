"""Task vectors in few coordinates, where their rank is low."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Reduced:
    """The task vectors of an m × n tensor by what they write and read together: τ_i = L B_i Rᵀ.

    Of eight LoRA adapters of rank 8 the cores are 64 × 64, and so is what is decomposed for each choice of weights.

    Args:
        left: L, m × p with orthonormal columns, float64; None: the identity.
        right: R, n × q with orthonormal columns, float64; None: the identity.
        cores: B_i of each expert, p × q, float32.
    """

    left: Tensor | None
    right: Tensor | None
    cores: dict[str, Tensor]

    def expand(self, core: Tensor) -> Tensor:
        """Return L · core · Rᵀ, m × n."""
        core = core if self.left is None else self.left @ core
        return core if self.right is None else core @ self.right.mT


def reduce(vectors: Mapping[str, Tensor], triples: Mapping[str, tuple[Tensor, Tensor, Tensor]]) -> Reduced:
    """Bring task vectors to the coordinates of their joint columns and rows.

    What is rounding in each of them is lost; a side on which they fill the space stays as it is.

    Args:
        vectors: τ_i of each expert, m × n.
        triples: what `truncated_svd` returned for each.
    """
    left = span([left for left, _, _ in triples.values()])
    right = span([right.mT for _, _, right in triples.values()])
    cores = {}
    for expert, vector in vectors.items():
        core = vector if left is None else left.mT @ vector.double()
        cores[expert] = (core if right is None else core.double() @ right).float()
    return Reduced(left, right, cores)


def span(directions: Sequence[Tensor]) -> Tensor | None:
    """Return orthonormal columns that span those of all matrices (n × k_i); None where they may fill the space."""
    joint = torch.cat(list(directions), dim=1)
    return torch.linalg.qr(joint).Q if joint.shape[1] < joint.shape[0] else None
