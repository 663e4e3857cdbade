"""Task gradients at a virtual linear map on the shared features (our design).

Put a linear map with weight `I` and bias `0` between the backbone and the task modules. It changes nothing,
but every task has a gradient with respect to it,

    G_t = Σ_i δ_ti [h_i; 1]ᵀ,    δ_ti = ∂L_t/∂h_i,

of one shape (d, d + 1) whatever the batch. So tasks that share no rows can be compared, and G_t is additive
over micro-batches. Only the task modules are differentiated, never the backbone. Rows without gradient, such
as padding tokens, add nothing.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def feature_gradients(losses: Sequence[Tensor], features: Tensor) -> Tensor:
    """Differentiate each task's loss with respect to the shared features.

    Args:
        losses: T scalars.
        features: the features h, shape (N, d) pooled or (N, S, d) tokens, attached to the graph.

    Returns:
        δ, shape (T, R, d) with R = N or N·S rows, in float32 or better. The graph is kept for the backward
        pass.

    Raises:
        ValueError: If no loss depends on the features.
    """
    if not features.requires_grad:
        raise ValueError(
            "`features` has no gradient. Pass the tensor that the task modules read, not a detached copy, "
            "and let something before it be trained."
        )
    deltas = [
        torch.autograd.grad(loss, features, retain_graph=True, allow_unused=True)[0] if loss.requires_grad else None
        for loss in losses
    ]
    if all(delta is None for delta in deltas):
        raise ValueError("No loss depends on `features`. Pass the very tensor that the task modules read.")
    return torch.stack([_rows(torch.zeros_like(features) if delta is None else delta) for delta in deltas])


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
def gramian(gradients: Tensor) -> Tensor:
    """Compute the Gramian of gradients, shape (T, T) in float64, from G of shape (T, …)."""
    flat = _double(gradients.flatten(1))
    return flat @ flat.T


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


def _rows(tensor: Tensor) -> Tensor:
    """View (N, d) or (N, S, d) as rows, in float32 or better."""
    rows = tensor.detach().flatten(0, -2)
    return rows.to(torch.promote_types(rows.dtype, torch.float32))


def _double(tensor: Tensor) -> Tensor:
    """Convert to float64, on the CPU where the device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
