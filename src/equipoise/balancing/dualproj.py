"""DualProj: the mean gradient is projected to where no task is hurt."""

from .torchjd_balancers import TorchJDWeighting


class DualProj(TorchJDWeighting):
    r"""Project the mean gradient to where it hurts no task (Lopez-Paz and Ranzato, 2017, arXiv 1706.08840).

        w = argmin vᵀKv    over v ≥ 1/P,

    K the inner products of the P gradients: Gᵀw is the vector closest to their mean that has no negative product with
    any of them (TorchJD's `DualProjWeighting`, by quadprog).

    Deviations from the paper, which projects a new task's gradient on what older tasks allow: the mean of all is
    projected, as in TorchJD, and the weights are scaled to sum to the number of tasks present. K / tr K has 1e-4
    added to its diagonal.

    Inputs: `features`, or what `where` requires. Needs quadprog: `pip install "equipoise[balancers]"`.

    Relations: where the mean gradient hurts nobody, `EqualWeights`. `UPGrad` projects each gradient by itself.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Raises:
        UsageError: If quadprog is not installed.

    Example:
        >>> import torch
        >>> from equipoise.balancing import DualProj
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = DualProj(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * (h[:, 1] - h[:, 0])}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.5, 'polarity': 0.5}
    """

    paper = "Lopez-Paz and Ranzato, 2017, arXiv 1706.08840"
    packages = ("torchjd", "quadprog", "qpsolvers")
    weighting = "DualProjWeighting"
