"""The objective of multilabel tasks: binary cross-entropy."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..objective import Objective, cool, label_divergence
from .task import Multilabel


class MultilabelObjective(Objective):
    """One logit per label, trained by binary cross-entropy."""

    calibrates = True

    def __init__(self, task: Multilabel) -> None:
        super().__init__(task)
        self.n_outputs = len(task.classes)

    def from_answers(self, scores: Tensor) -> Tensor:
        """Map the scores of no and yes, in turns, for each label (rows × 2 labels) to logits (rows × labels)."""
        return scores[:, 1::2] - scores[:, ::2]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy of each row in nats, averaged over labels."""
        return F.binary_cross_entropy_with_logits(outputs.float(), targets, reduction="none").mean(dim=-1)

    def calibrate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Divide by a temperature."""
        return cool(self, outputs, targets)

    def distillation_loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Divergence of the labels' probabilities from those of another model, averaged over labels."""
        return label_divergence(outputs, answers).mean(dim=-1)

    def predict(self, outputs: Tensor) -> Tensor:
        """The probability of each label, rows × labels."""
        return outputs.float().sigmoid()

    def explained(self, outputs: Tensor, places: Tensor) -> Tensor:
        """The log-odds of a label: its logit."""
        return outputs.float().gather(1, places[:, None]).squeeze(1)

    def log_probabilities(self, outputs: Tensor, scores: Tensor) -> Tensor:
        """Return the log-probabilities of "no" and "yes", rows × labels × 2."""
        return torch.stack([F.logsigmoid(-outputs), F.logsigmoid(outputs)], dim=-1)
