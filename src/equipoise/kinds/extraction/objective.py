"""The objective of extraction: cross-entropy of tags."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..objective import USUAL, Objective, class_divergence, log_odds
from ..tagging import OUTSIDE
from .task import Extraction


class ExtractionObjective(Objective):
    """One logit per tag of each token, trained by cross-entropy, each token counting alike."""

    target_type = torch.long

    def __init__(self, task: Extraction) -> None:
        super().__init__(task)
        self.n_outputs = task.n_tags

    def start_layer(self, last: nn.Linear) -> None:
        """Begin with the answer that a token is outside of all terms."""
        with torch.no_grad():
            last.bias[OUTSIDE] += USUAL

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each token in nats, shape (tokens,); 0 for one that is not learnt from."""
        return F.cross_entropy(outputs.float(), targets, ignore_index=-1, reduction="none")

    def distillation_loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Divergence of each token's tag probabilities from those of another model, shape (tokens,)."""
        return class_divergence(outputs, answers)

    def predict(self, outputs: Tensor) -> Tensor:
        """The probabilities of each token's tags, tokens × tags."""
        return outputs.float().softmax(dim=-1)

    def explained(self, outputs: Tensor, places: Tensor) -> Tensor:
        """The log-odds of a tag."""
        return log_odds(outputs, places)
