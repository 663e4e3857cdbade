"""How far answers are from those of another model: the losses that keep a model's answers (distillation)."""

import torch
from torch import Tensor
from torch.nn import functional as F

TEMPERATURE = 2.0
"""T by which logits are divided, as in learning without forgetting (Li and Hoiem 2016, arXiv 1606.09282)."""


def class_divergence(outputs: Tensor, answers: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return T² times the divergence of the class probabilities at temperature T from the answers', in nats.

    T² keeps the size of the gradient whatever T is (Hinton, Vinyals and Dean 2015, arXiv 1503.02531). Unlike their
    cross-entropy, whose gradient is the same, the Kullback–Leibler divergence is zero where both agree.

    Args:
        outputs: logits, or log-probabilities; classes in the last dimension.
        answers: those of the other model.
        temperature: T.

    Returns:
        The shape of the outputs without their last dimension.
    """
    ours, theirs = ((part.float() / temperature).log_softmax(dim=-1) for part in (outputs, answers))
    return temperature**2 * (theirs.exp() * (theirs - ours)).sum(dim=-1)


def label_divergence(outputs: Tensor, answers: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the same for labels that apply or not, each by itself.

    Args:
        outputs: the logit of each label.
        answers: those of the other model.
        temperature: T.

    Returns:
        The shape of the outputs.
    """
    both = (
        torch.stack([part.float(), torch.zeros_like(part, dtype=torch.float32)], dim=-1) for part in (outputs, answers)
    )
    return class_divergence(*both, temperature)


def squared_distance(outputs: Tensor, answers: Tensor) -> Tensor:
    """Return the squared difference of each row's outputs, averaged over them, shape (rows,)."""
    each = F.mse_loss(outputs.float(), answers.float(), reduction="none")
    return each if each.ndim == 1 else each.flatten(1).mean(dim=1)
