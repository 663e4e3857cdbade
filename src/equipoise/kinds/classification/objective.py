"""The objective of classification: cross-entropy."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..objective import Objective, class_divergence, cool, log_odds
from .task import Classification


class ClassificationObjective(Objective):
    """One logit per class, trained by cross-entropy.

    A language model's logit of a class is the log-probability of its words after the question, so an answer that is no
    class cannot happen.
    """

    target_type = torch.long
    calibrates = True

    def __init__(self, task: Classification) -> None:
        super().__init__(task)
        self.n_outputs = len(task.classes)

    def from_answers(self, scores: Tensor) -> Tensor:
        """Take the scores of the classes' words (rows × classes) as logits."""
        return scores

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each row in nats."""
        return F.cross_entropy(outputs.float(), targets, reduction="none")

    def calibrate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Divide by a temperature."""
        return cool(self, outputs, targets)

    def distillation_loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Divergence of the class probabilities from those of another model, at a temperature."""
        return class_divergence(outputs, answers)

    def predict(self, outputs: Tensor) -> Tensor:
        """Class probabilities, rows × classes."""
        return outputs.float().softmax(dim=-1)

    def explained(self, outputs: Tensor, places: Tensor) -> Tensor:
        """The log-odds of a class: the logarithm of its probability over that of all others."""
        return log_odds(outputs, places)

    def log_probabilities(self, outputs: Tensor, scores: Tensor) -> Tensor:
        """Return the classes' log-probabilities, rows × 1 × classes."""
        return outputs.log_softmax(dim=-1)[:, None]
