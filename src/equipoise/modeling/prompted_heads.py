"""Heads without weights of their own: they read the scores of a language model's answers."""

import torch
from torch import Tensor

from equipoise.kinds import Classification, Multilabel, Regression, Task

from .heads import ClassificationHead, Head, MultilabelHead, RegressionHead


class PromptedClassification(ClassificationHead):
    """Scores of the classes' words → classes; trained by cross-entropy over the classes.

    A class's score is the log-probability of its words after the question, so an answer that is no class cannot happen.
    """

    def __init__(self) -> None:
        Head.__init__(self)

    def forward(self, scores: Tensor) -> Tensor:
        """Take scores (rows × classes) as logits."""
        return scores


class PromptedRegression(RegressionHead):
    """Scores of numbers on a grid → their mean under the model; trained by its squared error.

    Lukasik et al. (2024, arXiv 2403.04182) show that this mean is what minimises the squared error.
    """

    numbers: Tensor

    def __init__(self, task: Regression) -> None:
        Head.__init__(self)
        self._adopt(task)
        numbers = torch.tensor([float(word) for word in task.grid()])
        self.register_buffer("numbers", (numbers - task.mean) / task.std, persistent=False)

    def forward(self, scores: Tensor) -> Tensor:
        """Map scores (rows × numbers) to standardized scores (rows,)."""
        return scores.float().softmax(dim=-1) @ self.numbers


class PromptedMultilabel(MultilabelHead):
    """Scores of no and yes for each label → logits of the labels; trained by binary cross-entropy."""

    def __init__(self) -> None:
        Head.__init__(self)

    def forward(self, scores: Tensor) -> Tensor:
        """Map scores (rows × 2 labels; no and yes in turns) to logits (rows × labels)."""
        return scores[:, 1::2] - scores[:, ::2]


class GeneratedText(Head):
    """Log-probabilities of the target's tokens; trained by cross-entropy, each token counting alike."""

    def forward(self, scores: Tensor) -> Tensor:
        """Take log-probabilities of tokens (tokens,) as they are."""
        return scores

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each token in nats, shape (tokens,)."""
        return -outputs

    def predict(self, outputs: Tensor) -> Tensor:
        """Texts are decoded, not read from scores."""
        raise NotImplementedError("A text is generated token by token: see `equipoise.modeling.generate`.")


def make_prompted_head(task: Task) -> Head:
    """Build the module of a task in the format `prompt`."""
    if isinstance(task, Classification):
        return PromptedClassification()
    if isinstance(task, Regression):
        return PromptedRegression(task)
    if isinstance(task, Multilabel):
        return PromptedMultilabel()
    return GeneratedText()
