"""Heads: the small part of the model that belongs to one task."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.kinds import Classification, Multilabel, Regression, Task


class Head(nn.Module, ABC):
    """Reads the shared features and answers for one task."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, shape (rows,)."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """Turn outputs into predictions: probabilities, or scores in the user's units."""


class ClassificationHead(Head):
    """Features → hidden layer → one logit a class, trained by cross-entropy."""

    def __init__(self, task: Classification, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = _head(width, len(task.classes), dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (rows × width) to logits (rows × classes)."""
        return self.layers(features)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each row in nats."""
        return F.cross_entropy(outputs.float(), targets, reduction="none")

    def predict(self, outputs: Tensor) -> Tensor:
        """Class probabilities, rows × classes."""
        return outputs.float().softmax(dim=-1)


class MultilabelHead(Head):
    """Features → hidden layer → one logit a label, trained by binary cross-entropy."""

    def __init__(self, task: Multilabel, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = _head(width, len(task.classes), dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (rows × width) to logits (rows × labels)."""
        return self.layers(features)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy of each row in nats, averaged over labels."""
        return F.binary_cross_entropy_with_logits(outputs.float(), targets, reduction="none").mean(dim=-1)

    def predict(self, outputs: Tensor) -> Tensor:
        """The probability of each label, rows × labels."""
        return outputs.float().sigmoid()


class RegressionHead(Head):
    """Features → hidden layer → one score, standardized by the training labels, trained by squared error."""

    mean: Tensor
    std: Tensor

    def __init__(self, task: Regression, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = _head(width, 1, dropout)
        self._adopt(task)

    def _adopt(self, task: Regression) -> None:
        self.range = task.range
        self.register_buffer("mean", torch.tensor(task.mean, dtype=torch.float32), persistent=False)
        self.register_buffer("std", torch.tensor(task.std, dtype=torch.float32), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (rows × width) to standardized scores (rows,)."""
        return self.layers(features).squeeze(-1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error of each row, in training standard deviations squared."""
        return (outputs.float() - (targets - self.mean) / self.std) ** 2

    def predict(self, outputs: Tensor) -> Tensor:
        """Scores in the user's units, clipped to the task's range, shape (rows,)."""
        scores = outputs.float() * self.std + self.mean
        return scores if self.range is None else scores.clamp(*self.range)


def make_head(task: Task, width: int) -> Head:
    """Build the module of a task.

    Args:
        task: the task, its label space resolved.
        width: width of the features.
    """
    if isinstance(task, Classification):
        return ClassificationHead(task, width)
    if isinstance(task, Multilabel):
        return MultilabelHead(task, width)
    if isinstance(task, Regression):
        return RegressionHead(task, width)
    raise TypeError(f"task '{task.name}': no head for kind '{task.kind}'")


def _head(width: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(width, width),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(width, outputs),
    )
