"""The objective of regression: squared error."""

import torch
from torch import Tensor

from ..calibration import MIN_ROWS
from ..metrics import Floats
from ..objective import Objective
from .task import Regression


class RegressionObjective(Objective):
    """One score, standardized by the training labels, trained by squared error.

    A language model's score is the mean of a grid of numbers under it; Lukasik et al. (2024, arXiv 2403.04182) show
    that this mean is what minimizes the squared error.
    """

    calibrates = True
    mean: Tensor
    std: Tensor
    numbers: Tensor

    def __init__(self, task: Regression) -> None:
        super().__init__(task)
        self.range = task.range
        self.register_buffer("mean", torch.tensor(task.mean, dtype=torch.float32), persistent=False)
        self.register_buffer("std", torch.tensor(task.std, dtype=torch.float32), persistent=False)
        grid = [float(word) for word in task.grid()] if task.is_prompted else []
        self.register_buffer("numbers", (torch.tensor(grid) - task.mean) / task.std, persistent=False)

    def from_layers(self, outputs: Tensor) -> Tensor:
        """Map rows × 1 to standardized scores (rows,)."""
        return outputs.squeeze(-1)

    def from_answers(self, scores: Tensor) -> Tensor:
        """Map the scores of the grid's numbers (rows × numbers) to standardized scores (rows,)."""
        return scores.float().softmax(dim=-1) @ self.numbers

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error of each row, in training standard deviations squared."""
        return (outputs.float() - (targets - self.mean) / self.std) ** 2

    def calibrate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Put the scores on the straight line that rises and is nearest to the labels."""
        if len(outputs) < MIN_ROWS:
            return outputs
        scores, gold = outputs.double(), ((targets - self.mean) / self.std).double()
        centered = scores - scores.mean()
        slope = (centered * gold).sum() / (centered**2).sum().clamp(min=1e-12)
        return slope * centered + gold.mean() if slope > 0 else outputs

    def predict(self, outputs: Tensor) -> Tensor:
        """Scores in the user's units, clipped to the task's range, shape (rows,)."""
        scores = outputs.float() * self.std + self.mean
        return scores if self.range is None else scores.clamp(*self.range)

    def explained(self, outputs: Tensor, places: Tensor) -> Tensor:
        """The score in the user's units, not clipped: beyond the range a word would decide nothing."""
        return outputs.float() * self.std + self.mean

    def log_probabilities(self, outputs: Tensor, scores: Tensor) -> Tensor:
        """Return the log-probabilities of the grid's numbers, rows × 1 × numbers."""
        return scores.float().log_softmax(dim=-1)[:, None]

    def to_outputs(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Turn a layer that gives scores in the user's units into one that gives standardized scores."""
        mean, std = float(self.mean), float(self.std)
        return weight / std, (bias - mean) / std
