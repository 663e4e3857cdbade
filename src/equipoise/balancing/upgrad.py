"""UPGrad: every gradient is projected to where no task is hurt, then they are added."""

from .torchjd_balancers import TorchJDWeighting


class UPGrad(TorchJDWeighting):
    r"""Project each task's gradient to where it hurts no task, and add them (Quinton and Rey, 2024, arXiv 2406.16232).

        w = Σ_s argmin vᵀKv    over v ≥ e_s,

    e_s the s-th unit vector, K the inner products of the gradients: Gᵀv is the vector closest to g_s that has no
    negative product with any gradient (TorchJD's `UPGradWeighting`, by quadprog).

    Deviations from the paper: the weights are scaled to sum to the number of tasks present. K / tr K has 1e-4 added to
    its diagonal, as in TorchJD.

    Inputs: `features`, or what `where` requires. Needs quadprog: `pip install "equipoise[balancers]"`.

    Relations: without conflicts, `EqualWeights`. `DualProj` projects the mean gradient; for two tasks it is `PCGrad`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Raises:
        UsageError: If quadprog is not installed.

    Example:
        >>> import torch
        >>> from equipoise.balancing import UPGrad
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = UPGrad(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * (h[:, 1] - h[:, 0])}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.55, 'polarity': 0.45}
    """

    paper = "Quinton and Rey, 2024, arXiv 2406.16232"
    packages = ("torchjd", "quadprog", "qpsolvers")
    weighting = "UPGradWeighting"
