"""FairGrad: α-fair progress of the tasks."""

from collections.abc import Mapping, Sequence

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP
from .torchjd_balancers import TorchJDWeighting


class FairGrad(TorchJDWeighting):
    r"""Share the progress of a step α-fairly among the tasks (Ban and Ji, 2024, arXiv 2402.15638).

    The weights solve

        K w = w^(-1/α)    (by component),

    K the inner products of the gradients; by least squares in scipy (TorchJD's `FairGradWeighting`).

    Deviations from the paper: the weights are scaled to sum to the number of tasks present.

    Inputs: `features`, or what `where` requires.

    Relations: with α = 0 it is `EqualWeights`, with α = 1 `NashMTL`; with large α it tends to `MGDA`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        alpha: α, at least 0; the default, proportional fairness, is our choice.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import FairGrad
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = FairGrad(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.5, 'polarity': 0.5}
    """

    paper = "Ban and Ji, 2024, arXiv 2402.15638"
    weighting = "FairGradWeighting"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        alpha: float = 1.0,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._options = {"alpha": checked_number("alpha", alpha, lambda value: value >= 0, "at least 0")}
