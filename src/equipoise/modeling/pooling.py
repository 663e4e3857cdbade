"""From the backbone's last hidden states to one vector a row."""

from torch import Tensor, nn


class MeanPooling(nn.Module):
    """Mean of the hidden states over the tokens that are no padding."""

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Pool rows × tokens × width to rows × width."""
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
