"""Task gradients at a virtual linear map on the shared features (our design), at the features, or at parameters.

Put a linear map with weight `I` and bias `0` between the backbone and the heads. It changes nothing,
but every task has a gradient with respect to it,

    G_t = Σ_i δ_ti [h_i; 1]ᵀ,    δ_ti = ∂L_t/∂h_i,

of one shape (d, d + 1) whatever the batch. So tasks that share no rows can be compared, and G_t is additive
over micro-batches and processes. Only the heads are differentiated, never the backbone. Rows without gradient,
such as padding tokens, add nothing.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# A power of two: it changes no digit in float32, and keeps small gradients alive where part of the graph is float16.
_SCALE = 1024.0
_CHUNK = 2**16


def feature_gradients(losses: Sequence[Tensor | None], features: Tensor) -> Tensor:
    """Differentiate each task's loss with respect to the shared features.

    Args:
        losses: T scalars; None where there is none, which has gradient 0.
        features: the features h, shape (N, d) pooled or (N, S, d) tokens, attached to the graph.

    Returns:
        δ, shape (T, R, d) with R = N or N·S rows, in float32 or better. The graph is kept for the backward
        pass.

    Raises:
        ValueError: If no loss depends on the features.
    """
    if not features.requires_grad:
        raise ValueError(
            "`features` has no gradient. Pass the tensor that the heads read, not a detached copy, "
            "and let something before it be trained."
        )
    gradients = _differentiate(losses, [features])
    if gradients is None:
        raise ValueError("No loss depends on `features`. Pass the very tensor that the heads read.")
    return gradients.view(len(losses), -1, features.shape[-1])


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
    gradients = _differentiate(losses, trained)
    if gradients is None:
        raise ValueError("No loss depends on `parameters`. Pass those of the part that the tasks share.")
    return gradients


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
    return torch.stack([_double(one) @ _double(other).T for one, other in chunks]).sum(0)


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
    rows, flat = _double(_rows(features)), _double(deltas.flatten(0, 1))
    products = (flat @ flat.T).view(tasks, count, tasks, count)
    return torch.einsum("tisj,ij->ts", products, rows @ rows.T + 1)


def _differentiate(losses: Sequence[Tensor | None], inputs: Sequence[Tensor]) -> Tensor | None:
    """Return the losses' gradients, one row per loss, in float32 or better; None if no loss depends on the inputs."""
    for scale in (_SCALE, 1.0):
        by_loss = [
            torch.autograd.grad(loss * scale, inputs, retain_graph=True, allow_unused=True)
            if loss is not None and loss.requires_grad
            else (None,) * len(inputs)
            for loss in losses
        ]
        if all(gradient is None for row in by_loss for gradient in row) and any(loss is not None for loss in losses):
            return None
        flat = [
            _wide(torch.zeros_like(one) if gradient is None else gradient).flatten()
            for row in by_loss
            for one, gradient in zip(inputs, row, strict=True)
        ]
        gradients = torch.cat(flat).view(len(losses), -1).div_(scale)
        # One look at all of them: each one makes a GPU wait.
        if bool(gradients.isfinite().all()):
            break
    return gradients


def _rows(tensor: Tensor) -> Tensor:
    """View (N, d) or (N, S, d) as rows, in float32 or better."""
    return _wide(tensor).flatten(0, -2)


def _wide(tensor: Tensor) -> Tensor:
    """Detach, and convert to float32 or better."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))


def _double(tensor: Tensor) -> Tensor:
    """Convert to float64, on the CPU where the device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
