"""A regularizer that pulls the tasks' gradients into one direction."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def alignment_penalty(losses: Sequence[Tensor], features: Tensor | Sequence[Tensor]) -> Tensor:
    r"""Compute how far the tasks' gradients at the virtual shared map are from pointing one way.

        P = 1/|pairs| Σ_{t<s} (1 − cos(G_t, G_s)),    G_t = Σ_i δ_ti [h_i; 1]ᵀ,    δ_ti = ∂L_t/∂h_i

    with the G_t of `feature_gradients`: 0 where all of them are parallel, 1 where they are orthogonal, 2 where two are
    opposed. P ignores the sizes of losses and of gradients. Here G_t stays part of the graph: P has derivatives with
    respect to the heads, by second derivatives, and to the features and what is before them, where no second
    derivative is taken.

    That a term with the cosine between task gradients is added to the losses is all that is known of the method
    (arXiv 2412.06249); this formula, and the place where the gradients are taken, are our reading.

    Args:
        losses: scalars, attached to the graph; one without a gradient at the features is left out.
        features: the features h, shape (N, d) pooled or (N, S, d) tokens, attached to the graph; or per loss the view
            of them that its head reads.

    Returns:
        P, a scalar in float32 or better; 0 where fewer than two tasks have a gradient.

    Raises:
        ValueError: If the features have no gradient.
    """
    views = [features] * len(losses) if isinstance(features, Tensor) else features
    if not losses:
        return torch.zeros(())
    shared = views[0]
    if not shared.requires_grad:
        raise ValueError(
            "`features` has no gradient, so that `alignment` can change nothing. Pass the tensor that the heads "
            "read, and let something before it be trained."
        )
    wide = torch.promote_types(shared.dtype, torch.float32)
    with torch.autocast(shared.device.type, enabled=False):
        rows = shared.to(wide).flatten(0, -2)
        rows = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
        directions = []
        for loss, view in zip(losses, views, strict=True):
            (delta,) = torch.autograd.grad(loss, view, create_graph=True, allow_unused=True)
            if delta is None or not delta.any():
                continue
            gradient = (delta.to(wide).flatten(0, -2).T @ rows).flatten()
            directions.append(gradient / torch.linalg.vector_norm(gradient))
        if len(directions) < 2:
            return rows.new_zeros(())
        stacked = torch.stack(directions)
        first, second = torch.triu_indices(len(stacked), len(stacked), offset=1, device=stacked.device)
        return 1 - (stacked @ stacked.T)[first, second].mean()


def batch_misalignment(
    parts: Mapping[str, Tensor], features: Tensor | Mapping[str, Tensor] | None, *, whole: bool
) -> Tensor:
    """Return the penalty of a batch.

    Args:
        parts: per task present its examples' parts of its loss, or its loss.
        features: the features that all heads read, or by task its view of them.
        whole: whether the batch is all of the optimizer step, in one process.

    Raises:
        ValueError: It is not, or there are no features.
    """
    if not whole:
        raise ValueError(
            "`alignment` needs the whole batch at once: leave out gradient accumulation (`counts`) and train in "
            "one process."
        )
    if features is None:
        raise ValueError("`alignment` needs gradients: pass `features=`, which all heads read.")
    trained = {task: part.sum() for task, part in parts.items() if part.requires_grad}
    views = features if isinstance(features, Tensor) else [features[task] for task in trained]
    return alignment_penalty(list(trained.values()), views)
