"""The objective of ordinal tasks: CORN."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..objective import Objective, class_divergence, cool
from .task import Ordinal


class OrdinalObjective(Objective):
    """Conditional logits, one fewer than classes, trained by CORN (Shi, Cao and Raschka 2021, arXiv 2111.08851).

    Output k, from 0 on, is the logit of P(y > k | y ≥ k). It learns from the rows with y ≥ k alone. By the chain rule
    P(y > k) is a product of such probabilities, so it cannot rise with k, and the class probabilities sum to one.
    """

    target_type = torch.long
    calibrates = True

    def __init__(self, task: Ordinal) -> None:
        super().__init__(task)
        self.n_outputs = len(task.classes) - 1
        self.decisions = task.decisions

    def from_answers(self, scores: Tensor) -> Tensor:
        """Map the scores of the classes' words (rows × classes) to the conditional logits of their softmax.

        The odds of y > k given y ≥ k are Σ_{j>k} p_j / p_k.
        """
        scores = scores.float()
        above = scores.flip(-1).logcumsumexp(dim=-1).flip(-1)
        return above[:, 1:] - scores[:, :-1]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy of each row in nats, summed over the outputs its label decides, over `Task.decisions`.

        The paper divides the sum over a batch by the number of outputs that its labels decide. `decisions` is that
        number per row, taken over all training rows: so the mean over train is the paper's loss, the loss of a row
        does not depend on the other rows of its batch, and a model that knows nothing starts at ln 2. The sum is
        also −log p(class), by the chain rule.
        """
        outputs = outputs.float()
        steps = torch.arange(self.n_outputs, device=outputs.device)
        each = F.binary_cross_entropy_with_logits(outputs, (targets[:, None] > steps).float(), reduction="none")
        return torch.where(targets[:, None] >= steps, each, 0.0).sum(dim=-1) / self.decisions

    def calibrate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Divide by a temperature."""
        return cool(self, outputs, targets)

    def distillation_loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Divergence of the class probabilities from those of another model, at a temperature."""
        return class_divergence(_log_chain(outputs.float()), _log_chain(answers.float()))

    def predict(self, outputs: Tensor) -> Tensor:
        """Class probabilities, rows × classes."""
        return _log_chain(outputs.float()).exp()

    def explained(self, outputs: Tensor, places: Tensor) -> Tensor:
        """The expected rank, from 1 to the number of classes."""
        # The sum over k of P(y ≥ k) is one more than the sum over the outputs of P(y > k).
        return 1 + F.logsigmoid(outputs.float()).cumsum(dim=-1).exp().sum(dim=-1)

    def log_probabilities(self, outputs: Tensor, scores: Tensor) -> Tensor:
        """Return the classes' log-probabilities, rows × 1 × classes."""
        return _log_chain(outputs.float())[:, None]


def _log_chain(logits: Tensor) -> Tensor:
    """Turn conditional logits (rows × classes − 1) into the log-probabilities of the classes (rows × classes)."""
    reached = F.logsigmoid(logits).cumsum(dim=-1)
    reached = torch.cat([torch.zeros_like(reached[:, :1]), reached], dim=-1)  # log P(y ≥ k)
    ends = torch.cat([F.logsigmoid(-logits), torch.zeros_like(logits[:, :1])], dim=-1)  # log P(y = k | y ≥ k)
    return reached + ends
