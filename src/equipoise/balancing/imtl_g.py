"""IMTL-G: the update has equal projections on all task gradients."""

from .torchjd_balancers import TorchJDWeighting


class ImpartialGradients(TorchJDWeighting):
    r"""Make the update project equally on every task's gradient direction (IMTL-G, Liu et al., ICLR 2021).

        w = K⁺ d,    d_t = √K_tt = |g_t|,

    K the inner products of the gradients, K⁺ its pseudo-inverse, in float64 (TorchJD's `IMTLGWeighting`, which
    carries the rule over to linearly dependent gradients).

    Deviations from the paper: a weight may be negative, where following a task's gradient backwards would be needed;
    it counts as almost 0, and the projections are not equal then. The weights are scaled to sum to the number of
    tasks present.

    Inputs: `features`, or what `where` requires.

    Relations: for two tasks the task weights of `DynamicAdaptiveLoss`, where |cos(g_1, g_2)| < 0.99.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import ImpartialGradients
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = ImpartialGradients(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.5, 'polarity': 0.5}
    """

    rescaling = "compensates"
    paper = "Liu et al., ICLR 2021"
    weighting = "IMTLGWeighting"
