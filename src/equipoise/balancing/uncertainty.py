"""Uncertainty weighting: every task's weight is learned with it."""

from .learned_scalarizer import LearnedScalarizer


class UncertaintyWeighting(LearnedScalarizer):
    r"""Weigh each task by its learned uncertainty (Kendall et al., 2018, arXiv 1705.07115).

    The log-variances s_t are learned by Adam on the objective (TorchJD's `UW`)

        Σ_t ½ e^(-s_t) L_t + ½ s_t,

    whose derivative at the loss, ½ e^(-s_t), is the weight before scaling. s_t = log L_t is its minimum, so
    that weights tend to 1 / L_t. A task that is absent from a step keeps its s_t.

    Deviations from the paper: the weights are scaled to sum to the number of tasks present, and the s_t step
    in the balancer's own optimizer, not in the model's, whose fine-tuning learning rates would hardly move
    them. They start from 0, as in TorchJD.

    Inputs: losses alone. Call `after_step` after every `optimizer.step()`: s_t is learned there.

    Relations: where the losses have settled, close to dividing each loss by its own value.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        lr: learning rate of the s_t; our choice, by which a weight takes about 100 steps to grow tenfold.
        clip: the smallest and the largest weight.

    Example:
        >>> import torch
        >>> from equipoise.balancing import UncertaintyWeighting
        >>> balance = UncertaintyWeighting(["score", "polarity"])
        >>> for _ in range(200):
        ...     loss = balance({"score": torch.tensor([4.0]), "polarity": torch.tensor([1.0])})
        ...     balance.after_step()
        >>> {task: round(weight, 1) for task, weight in balance.weights.items()}
        {'score': 0.4, 'polarity': 1.6}
    """

    paper = "Kendall, Gal and Cipolla, 2018, arXiv 1705.07115"
    scalarizer = "UW"
