"""From the backbone's last hidden states to one vector a row."""

import torch
from torch import Tensor, nn


class MeanPooling(nn.Module):
    """Mean of the hidden states over the tokens of the text."""

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Pool rows × tokens × width to rows × width; the mask (rows × tokens) is 1 on tokens of the text."""
        mask = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


class LastTokenPooling(nn.Module):
    """The hidden state of the text's last token, the only one that has seen all of it where the model is causal."""

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Pool rows × tokens × width to rows × width; the mask (rows × tokens) is 1 on tokens of the text."""
        places = torch.arange(mask.shape[1], device=mask.device)
        last = (mask * places).argmax(dim=1)
        # Not by numbers of rows, which an exported graph would keep.
        return hidden.gather(1, last[:, None, None].expand(-1, 1, hidden.shape[2])).squeeze(1)


class AttentionPooling(nn.Module):
    """Attention over the tokens of the text (Zhou et al., 2016, ACL P16-2034).

    With H the hidden states of a row, one a column, and w the learnt query: α = softmax(wᵀ tanh(H)), and the features
    are tanh(H αᵀ). w starts at zero (our design), where all tokens weigh alike.

    Args:
        width: width of the hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(width))

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Pool rows × tokens × width to rows × width, between -1 and 1."""
        scores = (hidden.tanh() @ self.query).masked_fill(mask == 0, float("-inf"))
        return (scores.softmax(dim=1).unsqueeze(-1) * hidden).sum(dim=1).tanh()


def make_pooling(name: str, width: int) -> nn.Module:
    """Build a pooling: "mean", "last" or "attention".

    Args:
        name: its name.
        width: width of the hidden states.
    """
    return AttentionPooling(width) if name == "attention" else {"mean": MeanPooling, "last": LastTokenPooling}[name]()
