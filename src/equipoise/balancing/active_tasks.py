"""Which tasks of a step a balancer weighs, and what it is given of them."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from .input_checks import check_finite


class ActiveTasks(NamedTuple):
    """What `Balancer.compute_weights` takes of P active tasks, in its order."""

    losses: Tensor
    gradients: Tensor | None
    tasks: list[str]


def choose_active(
    names: Sequence[str],
    present: Tensor,
    losses: Tensor,
    squares: Tensor | None,
    gradients: Tensor | None,
    *,
    pairwise: bool,
) -> ActiveTasks:
    """Return the tasks that are present and, where gradients are used, have one.

    Args:
        names: all tasks.
        present: which have labels, shape (T,).
        losses: shape (T,).
        squares: the squared norms of their gradients, shape (T,); None where none are used.
        gradients: what is read of the gradients, shape (T, T) or (T, n).
        pairwise: whether these are products of every two tasks' gradients.

    Raises:
        NonFiniteLoss: A gradient is not finite.
    """
    active = present
    if squares is not None:
        check_finite("gradient", squares, names)
        if gradients is not None and not pairwise:
            # A balancer that is given the gradients themselves may square them as they are.
            check_finite("squared gradient", squares.to(gradients.dtype), names)
        active = present & (squares > 0)
    indices = active.nonzero().flatten()
    if gradients is not None:
        gradients = gradients[indices.to(gradients.device)]
        gradients = gradients[:, indices] if pairwise else gradients
    return ActiveTasks(losses[indices], gradients, [names[index] for index in indices])
