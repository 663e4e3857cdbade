"""Task gradients at a virtual linear map on the shared features (our design), at the features, or at parameters.

Put a linear map with weight `I` and bias `0` between the backbone and the heads. It changes nothing,
but every task has a gradient with respect to it,

    G_t = Σ_i δ_ti [h_i; 1]ᵀ,    δ_ti = ∂L_t/∂h_i,

of one shape (d, d + 1) whatever the batch. So tasks that share no rows can be compared, and G_t is additive
over micro-batches and processes. Only the heads are differentiated, never the backbone. Rows without gradient,
such as padding tokens, add nothing.

Where every head reads a view of the features of its own, one backward pass yields the δ of all tasks; where all heads
read the features themselves, each task takes one.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

SCALES = (1024.0, 1.0)
"""Factors of the losses that are differentiated, each tried where gradients overflow with the one before it. Powers of
two change no digit in float32; the large one keeps small gradients alive where part of the graph is float16."""
_CHUNK = 2**16


class UnreadViewError(ValueError):
    """A loss depends on the features, and not on the view that is given for it.

    Args:
        place: which one of the losses.
    """

    def __init__(self, place: int) -> None:
        super().__init__(f"Loss {place} does not depend on its view of `features`, but on another one.")
        self.place = place


def feature_gradients(losses: Sequence[Tensor | None], features: Tensor | Sequence[Tensor]) -> Tensor:
    """Differentiate each task's loss with respect to the shared features.

    Args:
        losses: T scalars; None where there is none, which has gradient 0.
        features: the features h, shape (N, d) pooled or (N, S, d) tokens, attached to the graph; or per loss the view
            of them that its head reads, and no other head.

    Returns:
        δ, shape (T, R, d) with R = N or N·S rows, in float32 or better. The graph is kept for the backward
        pass.

    Raises:
        ValueError: If no loss depends on the features, or one on other views than its own (`UnreadViewError`).
    """
    views = [features] * len(losses) if isinstance(features, Tensor) else features
    for scale in SCALES:
        gradients = scaled_gradients(losses, views, scale)
        if bool(gradients.isfinite().all()):
            break
    return gradients


def scaled_gradients(losses: Sequence[Tensor | None], views: Sequence[Tensor], scale: float) -> Tensor:
    """Differentiate likewise, multiplying by a factor and dividing by it again; nobody looks for an overflow."""
    if not views[0].requires_grad:
        raise ValueError(
            "`features` has no gradient. Pass the tensor that the heads read, not a detached copy, "
            "and let something before it be trained."
        )
    found: list[Tensor | None] = [None] * len(losses)
    for places in _rounds(losses, views):
        # No two of them read one view, so that the gradient at a view is that of one loss.
        scalars = [loss for place in places if (loss := losses[place]) is not None]
        gradients = torch.autograd.grad(
            scalars,
            [views[place] for place in places],
            [torch.full_like(loss, scale) for loss in scalars],
            retain_graph=True,
            allow_unused=True,
        )
        for place, gradient in zip(places, gradients, strict=True):
            found[place] = gradient
    _check_read(losses, views, found)
    if all(gradient is None for gradient in found) and any(loss is not None for loss in losses):
        raise ValueError("No loss depends on `features`. Pass the very tensor that the heads read.")
    return _join(found, views, scale).view(len(losses), -1, views[0].shape[-1])


def parameter_gradients(losses: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> Tensor:
    """Differentiate each task's loss with respect to shared parameters: one backward pass per task.

    Args:
        losses: T scalars; None where there is none, which has gradient 0.
        parameters: the shared parameters; those that are frozen are left out.

    Returns:
        Shape (T, n), n the number of values in all parameters, in float32 or better. The graph is kept.

    Raises:
        ValueError: If no loss depends on the parameters.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not trained:
        raise ValueError("`parameters` holds no parameter that is trained. Pass those that the tasks share.")
    for scale in SCALES:
        by_loss: list[tuple[Tensor | None, ...]] = [
            torch.autograd.grad(loss * scale, trained, retain_graph=True, allow_unused=True)
            if loss is not None and loss.requires_grad
            else (None,) * len(trained)
            for loss in losses
        ]
        if all(gradient is None for row in by_loss for gradient in row) and any(loss is not None for loss in losses):
            raise ValueError("No loss depends on `parameters`. Pass those of the part that the tasks share.")
        gradients = _join([gradient for row in by_loss for gradient in row], trained * len(losses), scale)
        # One look at all of them: each one makes a GPU wait.
        if bool(gradients.isfinite().all()):
            break
    return gradients.view(len(losses), -1)


@torch.no_grad()
def map_gradients(deltas: Tensor, features: Tensor) -> Tensor:
    """Compute the gradients G_t of the virtual map.

    Args:
        deltas: what `feature_gradients` returns, shape (T, R, d).
        features: the features h, shape (N, d) or (N, S, d).

    Returns:
        G, shape (T, d, d + 1).
    """
    rows = _rows(features)
    with torch.autocast(features.device.type, enabled=False):
        return deltas.transpose(1, 2) @ torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)


@torch.no_grad()
def gramian(gradients: Tensor, others: Tensor | None = None) -> Tensor:
    """Compute the inner products of gradients, shape (T, T) in float64, from G of shape (T, …).

    Args:
        gradients: G.
        others: gradients of the same shape to multiply G's with; G itself if not given.
    """
    left = gradients.flatten(1)
    right = left if others is None else others.flatten(1)
    # By chunks that fit into a cache: gradients of all parameters are not copied whole.
    chunks = zip(left.split(_CHUNK, 1), right.split(_CHUNK, 1), strict=True)
    return torch.stack([double(one) @ double(other).T for one, other in chunks]).sum(0)


@torch.no_grad()
def map_gramian(deltas: Tensor, features: Tensor) -> Tensor:
    """Compute the Gramian K of the virtual map's gradients, by the cheaper of two equal ways.

    With few rows K_ts = Σ_ij (δ_ti·δ_sj)(h_i·h_j + 1), which needs no matrix of the size of the map; else
    from the G_t.

    Args:
        deltas: what `feature_gradients` returns, shape (T, R, d).
        features: the features h, shape (N, d) or (N, S, d).

    Returns:
        K, shape (T, T), float64.
    """
    tasks, count, width = deltas.shape
    if tasks * count >= width:
        return gramian(map_gradients(deltas, features))
    rows, flat = double(_rows(features)), double(deltas.flatten(0, 1))
    products = (flat @ flat.T).view(tasks, count, tasks, count)
    return torch.einsum("tisj,ij->ts", products, rows @ rows.T + 1)


def _rounds(losses: Sequence[Tensor | None], views: Sequence[Tensor]) -> Iterator[list[int]]:
    """Yield the losses with a gradient, by number, in as few parts as there are losses of one view."""
    left = [place for place, loss in enumerate(losses) if loss is not None and loss.requires_grad]
    while left:
        first = {id(views[place]): place for place in reversed(left)}
        yield sorted(first.values())
        left = [place for place in left if place not in first.values()]


def _check_read(losses: Sequence[Tensor | None], views: Sequence[Tensor], found: Sequence[Tensor | None]) -> None:
    """Refuse a loss that depends on no view of its own, but on those of others or on what they are views of.

    One that depends on nothing of them is allowed: its head trains nothing but itself.
    """
    for place, (loss, gradient) in enumerate(zip(losses, found, strict=True)):
        if loss is None or gradient is not None or not loss.requires_grad:
            continue
        others = {id(one): one for view in views for one in (view, view._base) if one is not None and one.requires_grad}
        others.pop(id(views[place]), None)
        if not others:
            continue
        read = torch.autograd.grad(loss, list(others.values()), retain_graph=True, allow_unused=True)
        if any(one is not None for one in read):
            raise UnreadViewError(place)


def _join(gradients: Sequence[Tensor | None], like: Sequence[Tensor], scale: float) -> Tensor:
    """Return gradients behind each other, in float32 or better, divided by their factor; None is 0."""
    flat = [
        _wide(torch.zeros_like(one) if gradient is None else gradient).flatten()
        for gradient, one in zip(gradients, like, strict=True)
    ]
    return torch.cat(flat).div_(scale)


def _rows(tensor: Tensor) -> Tensor:
    """View (N, d) or (N, S, d) as rows, in float32 or better."""
    return _wide(tensor).flatten(0, -2)


def _wide(tensor: Tensor) -> Tensor:
    """Detach, and convert to float32 or better."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))


def double(tensor: Tensor) -> Tensor:
    """Convert to float64, on the CPU where the device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
