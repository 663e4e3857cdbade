"""The objective of generation, and of all other tasks that write text: cross-entropy of tokens."""

import torch
from torch import Tensor

from ..objective import Objective


class GenerationObjective(Objective):
    """Log-probabilities of the target's tokens; trained by cross-entropy, each token counting alike."""

    target_type = torch.long

    def from_answers(self, scores: Tensor) -> Tensor:
        """Take log-probabilities of tokens (tokens,) as they are."""
        return scores

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each token in nats, shape (tokens,)."""
        return -outputs

    def predict(self, outputs: Tensor) -> Tensor:
        """Texts are decoded, not read from scores."""
        raise NotImplementedError("A text is generated token by token: see `equipoise.modeling.generate`.")
