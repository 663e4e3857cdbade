"""What tasks read of the backbone's last hidden states."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Features(nn.Module):
    """One vector per row for heads, and one for each token that a head reads or whose successor is scored.

    It computes all that any task reads, so that its output is where the tasks' gradients meet.

    Args:
        pooling: makes the vectors of rows; None where there is no head.
    """

    def __init__(self, pooling: nn.Module | None) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, hidden: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Read the hidden states.

        Args:
            hidden: rows × tokens × width.
            mask: rows × tokens, 1 on tokens of the text.
            positions: places of these tokens in the flattened rows × tokens, shape (n,).

        Returns:
            (rows + n) × width, or n × width without pooling.
        """
        if self.pooling is None:
            return hidden.flatten(0, 1)[positions]
        pooled: Tensor = self.pooling(hidden, mask)
        return torch.cat([pooled, hidden.flatten(0, 1)[positions]]) if len(positions) else pooled


class TaskFeatures(nn.Module):
    """Gives each head a view of the features of its own, so that one backward pass tells the tasks' gradients apart.

    It has no parameters and copies nothing. Tasks in the format `prompt`, whose tokens go through the output layer
    together, have one view together.

    Args:
        own: the tasks with a head.
        together: the tasks in the format `prompt`.
    """

    def __init__(self, own: Sequence[str], together: Sequence[str]) -> None:
        super().__init__()
        self._own = tuple(own)
        self._together = tuple(together)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return by task what its head reads; without gradients the features themselves.

        Args:
            features: what `Features` returns.
        """
        if not (torch.is_grad_enabled() and features.requires_grad):
            return dict.fromkeys((*self._own, *self._together), features)
        # No task reads the features themselves: their gradient is that of all views.
        views = {task: features.view_as(features) for task in self._own}
        return views | dict.fromkeys(self._together, features.view_as(features))


def tree_mask(ends: Tensor, dtype: torch.dtype) -> Tensor:
    """Make the attention mask of packed trees: a node sees its ancestors and itself.

    Args:
        ends: rows × tokens, see `equipoise.data.trees.PackedTree`.
        dtype: of the hidden states.

    Returns:
        rows × 1 × tokens × tokens: 0 where a token is seen, the least finite number elsewhere.
    """
    places = torch.arange(ends.shape[1], device=ends.device)
    seen = (places[:, None] >= places) & (places[:, None] < ends[:, None, :])
    return torch.zeros(seen.shape, dtype=dtype, device=ends.device).masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def places_before(lengths: Tensor, tokens: int) -> Tensor:
    """Which places of each row come before its length: rows × tokens, true or false."""
    return torch.arange(tokens, device=lengths.device) < lengths[:, None]
