"""Aligned-MTL: the principal components of the task gradients are made equally large."""

from .torchjd_balancers import TorchJDWeighting


class AlignedMTL(TorchJDWeighting):
    r"""Make the task gradients orthogonal and equally long, then add them (Senushkin et al., 2023, arXiv 2305.19000).

        w = K^(-½) 1,

    K the inner products of the gradients; directions in which it is 0 are left out (TorchJD's
    `AlignedMTLWeighting`).

    Deviations from the paper: a weight may be negative, and counts as almost 0 then. The weights are scaled to sum to
    the number of tasks present, so that the common scale of the components, by which the paper's forms differ, does
    not matter.

    Inputs: `features`, or what `where` requires.

    Relations: for orthogonal gradients the task weights of `DynamicAdaptiveLoss` without its floor.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import AlignedMTL
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = AlignedMTL(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.5, 'polarity': 0.5}
    """

    paper = "Senushkin et al., 2023, arXiv 2305.19000"
    weighting = "AlignedMTLWeighting"
