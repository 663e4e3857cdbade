"""IMTL-L: every task's scale is learned with it."""

from .learned_scalarizer import LearnedScalarizer


class ImpartialLosses(LearnedScalarizer):
    r"""Weigh each task by a learned scale that brings all losses to one level (IMTL-L, Liu et al., ICLR 2021).

    The log-scales s_t are learned by Adam on the objective (TorchJD's `IMTLL`)

        Σ_t e^(s_t) L_t - s_t,

    whose derivative at the loss, e^(s_t), is the weight before scaling. s_t = -log L_t is its minimum, so that
    weights tend to 1 / L_t. A task that is absent from a step keeps its s_t.

    Deviations from the paper: the weights are scaled to sum to the number of tasks present, and the s_t step
    in the balancer's own optimizer, not in the model's, whose fine-tuning learning rates would hardly move them.

    Inputs: losses alone. Call `after_step` after every `optimizer.step()`: s_t is learned there.

    Relations: twice the objective of `UncertaintyWeighting`, which Adam hardly notices: their weights are the same
    but for its ε.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        lr: learning rate of the s_t; our choice, by which a weight takes about 100 steps to grow tenfold.
        clip: the smallest and the largest weight.

    Example:
        >>> import torch
        >>> from equipoise.balancing import ImpartialLosses
        >>> balance = ImpartialLosses(["score", "polarity"])
        >>> for _ in range(200):
        ...     loss = balance({"score": torch.tensor([4.0]), "polarity": torch.tensor([1.0])})
        ...     balance.after_step()
        >>> {task: round(weight, 1) for task, weight in balance.weights.items()}
        {'score': 0.4, 'polarity': 1.6}
    """

    paper = "Liu et al., ICLR 2021"
    scalarizer = "IMTLL"
