"""The objective of triplets, and of quads: cells of a grid of tokens."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..objective import USUAL, Objective, class_divergence, log_odds
from ..opinion_grid import NEITHER, RELATION, Grid
from .task import Triplets

_WIDTH = 128
_FARTHEST = 16
_DROPOUT = 0.1


class GridLayers(nn.Module):
    """Features of tokens → the outputs of each cell: from both tokens and how far apart they stand.

    Args:
        width: width of the features.
        grid: the shape of the grids.
    """

    def __init__(self, width: int, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.dropout = nn.Dropout(_DROPOUT)
        self.rows = nn.Linear(width, _WIDTH)
        self.columns = nn.Linear(width, _WIDTH)
        self.distance = nn.Embedding(2 * _FARTHEST + 1, _WIDTH)
        self.implicit = nn.Parameter(torch.zeros(int(grid.implicit), width))
        self.last = nn.Linear(_WIDTH, grid.n_outputs)
        with torch.no_grad():
            self.distance.weight.mul_(0.1)
            self.last.bias[NEITHER] += USUAL

    def forward(self, features: Tensor, counts: Tensor) -> Tensor:
        """Map features to outputs.

        Args:
            features: of all rows' tokens, row after row, tokens × width.
            counts: how many each row has, shape (rows,).

        Returns:
            Cells × (outputs + 1), row after row; the last column is the side of the cell's grid.
        """
        padded, real = self._pad(self.dropout(features), counts)
        side = padded.shape[1]
        places = torch.arange(side, device=features.device)
        apart = (places - places[:, None]).clamp(-_FARTHEST, _FARTHEST) + _FARTHEST
        hidden = self.rows(padded)[:, :, None] + self.columns(padded)[:, None] + self.distance(apart)
        inside = real[:, :, None] & real[:, None]
        outputs = self.last(self.dropout(F.gelu(hidden[inside])))
        sides = real.sum(dim=1)
        return torch.cat([outputs, sides.repeat_interleave(sides**2)[:, None].to(outputs.dtype)], dim=1)

    def _pad(self, features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows × side × width, and which of these places are real."""
        rows, first = len(counts), len(self.implicit)
        longest = int(counts.max()) if rows else 0
        row = torch.repeat_interleave(torch.arange(rows, device=features.device), counts)
        place = torch.arange(len(features), device=features.device) - (counts.cumsum(0) - counts)[row]
        empty = features.new_zeros(rows, longest, features.shape[1])
        padded = torch.cat(
            [self.implicit.to(features.dtype).expand(rows, -1, -1), empty.index_put((row, place), features)], dim=1
        )
        real = torch.arange(first + longest, device=features.device) < (counts + first)[:, None]
        return padded, real


class TripletsObjective(Objective):
    """What each cell is, and the polarity (and category) of related ones; trained by cross-entropies.

    The losses of a cell are multiplied by the side of its grid: a token's cells count together, each token alike,
    and a cell of a long text as much as one of a short text (our design).
    """

    target_type = torch.long

    def __init__(self, task: Triplets) -> None:
        super().__init__(task)
        self.grid = task.grid
        self.n_outputs = self.grid.n_outputs

    def make_layers(self, width: int) -> GridLayers:
        """Return layers that read pairs of tokens."""
        return GridLayers(width, self.grid)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each cell in nats times the side of its grid, shape (cells,)."""
        what, polarity, category, side = self._split(outputs.float())
        learnt = targets >= 0
        found = F.cross_entropy(what, targets.clamp(max=RELATION), ignore_index=-1, reduction="none")
        related = (targets >= RELATION) & learnt
        number = (targets - RELATION).clamp(min=0)
        of_class = F.cross_entropy(polarity, number % self.grid.polarities, reduction="none")
        if self.grid.categories > 1:
            of_class = of_class + F.cross_entropy(category, number // self.grid.polarities, reduction="none")
        return (found + torch.where(related, of_class, 0.0)) * side

    def distillation_loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Return the divergence of each cell from that of another model, times the side of its grid, shape (cells,).

        Polarity and category count as far as the other model takes the cell for related, as in `loss` they count in
        related cells alone.
        """
        what, polarity, category, side = self._split(outputs.float())
        old_what, old_polarity, old_category, _ = self._split(answers.float())
        of_class = class_divergence(polarity, old_polarity) + class_divergence(category, old_category)
        related = old_what.softmax(dim=-1)[..., RELATION]
        return (class_divergence(what, old_what) + related * of_class) * side

    def predict(self, outputs: Tensor) -> Tensor:
        """The probabilities of what a cell is, of the polarities, and of the categories; cells × outputs."""
        *parts, _ = self._split(outputs.float())
        return torch.cat([part.softmax(dim=-1) for part in parts], dim=-1)

    def explained(self, outputs: Tensor, places: Tensor) -> Tensor:
        """The log-odds that a cell relates words to a term, with this polarity (and category).

        The probability is the product of what is predicted of each. With odds o of a part, 1/o of the whole is
        (1 + 1/o₁)(1 + 1/o₂)… − 1.
        """
        what, polarity, category, _ = self._split(outputs.float())
        number = places - RELATION
        parts = [(what, torch.full_like(places, RELATION)), (polarity, number % self.grid.polarities)]
        parts.append((category, number // self.grid.polarities))
        # Where there is one class only, it is certain.
        odds = [log_odds(logits, chosen) for logits, chosen in parts if logits.shape[1] > 1]
        against = -odds[0]
        for one in odds[1:]:
            against = torch.stack([against, -one, against - one]).logsumexp(dim=0)
        return -against

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        sizes = [RELATION + 1, self.grid.polarities, self.grid.categories, 1]
        what, polarity, category, side = outputs.split(sizes, dim=-1)
        return what, polarity, category, side.squeeze(-1)
