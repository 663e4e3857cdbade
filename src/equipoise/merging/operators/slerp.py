"""SLERP: from one model to another along a great circle."""

import math

from torch import Tensor

from .averaging import weighted_mean
from .base import MergeOperator, TensorGroup


class SLERP(MergeOperator):
    r"""Go from one expert towards another along the arc between their whole weights, tensor by tensor.

        θ = sin((1 − t)Ω) / sin Ω · θ_a + sin(tΩ) / sin Ω · θ_b,    cos Ω = ⟨θ_a, θ_b⟩ / (‖θ_a‖ ‖θ_b‖)

    with θ_i = θ₀ + τ_i, t = w_b / (w_a + w_b), and τ = θ − θ₀. Where |cos Ω| > 0.9995 or a tensor is all zeros it is
    the average, (1 − t) θ_a + t θ_b. Experts of one base are mostly that close, so that SLERP is then `Linear`.

    Source: Shoemake, 1985 ("Animating rotation with quaternion curves"); for models it has no paper. mergekit's
    `slerp` is the same.

    Weights: only their ratio matters; equal by default. Two experts at most.
    """

    name = "slerp"
    summary = "goes from one of two models to the other along an arc"
    paper = "Shoemake, 1985"
    normalized = True
    most_experts = 2

    _PARALLEL = 0.9995

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return θ − θ₀."""
        if len(group.vectors) == 1:
            return weighted_mean(group.vectors, group.weights)
        (first, one), (second, other) = group.vectors.items()
        start, end = (group.base.double() + one).flatten(), (group.base.double() + other).flatten()
        norms = float(start.norm() * end.norm())
        cosine = float(start @ end) / norms if norms else 1.0
        if abs(cosine) > self._PARALLEL:
            return weighted_mean(group.vectors, group.weights)
        share = group.weights[second] / (group.weights[first] + group.weights[second])
        angle = math.acos(cosine)
        near, far = math.sin((1 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)
        return ((near + far - 1) * group.base.double() + near * one.double() + far * other.double()).float()
