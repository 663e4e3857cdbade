"""Heads: the small part of the model that belongs to one task."""

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.errors import ModelError
from equipoise.kinds import Floats, Objective, Task, make_objective

_DROPOUT = 0.1


class Head(nn.Module):
    """Answers for one task, in the way of its kind's objective.

    Args:
        objective: what the outputs mean.

    Attributes:
        reads_rows: it reads all tokens of a row together, not one vector by itself.
    """

    reads_rows: bool = False

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, shape (rows,)."""
        return self.objective.loss(outputs, targets)

    def distillation_loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Return how far each row's outputs are from those of another model; see `Objective.distillation_loss`."""
        return self.objective.distillation_loss(outputs, answers)

    def predict(self, outputs: Tensor) -> Tensor:
        """Turn outputs into predictions: probabilities, or scores in the user's units."""
        return self.objective.predict(outputs)

    def become_linear(self, weight: Floats, bias: Floats) -> None:
        """Let the layers compute one linear map of the features; only for heads that read pooled features.

        Args:
            weight: of a map to logits, or scores in the user's units, outputs × width.
            bias: its bias, shape (outputs,).

        Raises:
            ModelError: there are too few hidden units.
        """
        raise NotImplementedError(f"task '{self.objective.task_name}': its head reads no pooled features")


class FeatureHead(Head):
    """Features → hidden layer → the outputs of the objective.

    Args:
        objective: what the outputs mean.
        width: width of the features.
    """

    def __init__(self, objective: Objective, width: int) -> None:
        super().__init__(objective)
        self.layers = _make_layers(objective, width)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (rows × width) to outputs."""
        return self.objective.from_layers(self.layers(features))

    def become_linear(self, weight: Floats, bias: Floats) -> None:
        """Let the layers compute one linear map of the features, exactly; see `Head.become_linear`.

        With GELU(z) − GELU(−z) = z, two hidden units pass one number on (our design).
        """
        slope, offset = (torch.from_numpy(np.asarray(part)) for part in self.objective.to_outputs(weight, bias))
        hidden, last = (layer for layer in self.layers if isinstance(layer, nn.Linear))
        outputs = len(offset)
        if 2 * outputs > hidden.out_features:
            raise ModelError(
                f"task '{self.objective.task_name}': found {outputs} classes, expected {hidden.out_features // 2} at "
                "most for a linear head on features of this width; train the task with `equipoise train`."
            )
        with torch.no_grad():
            for parameter in (hidden.weight, hidden.bias, last.weight, last.bias):
                parameter.zero_()
            for sign, first in ((1, 0), (-1, outputs)):
                places = slice(first, first + outputs)
                hidden.weight[places] = (sign * slope).to(hidden.weight)
                hidden.bias[places] = (sign * offset).to(hidden.bias)
                last.weight[:, places] = sign * torch.eye(outputs).to(last.weight)


class TokenHead(Head):
    """Features of tokens → the outputs of the objective, for each cell of each row; a cell is mostly a token.

    Args:
        objective: what the outputs mean.
        width: width of the features.
    """

    def __init__(self, objective: Objective, width: int) -> None:
        super().__init__(objective)
        own = objective.make_layers(width)
        self.reads_rows = own is not None
        self.layers = _make_layers(objective, width) if own is None else own

    def forward(self, features: Tensor, counts: Tensor) -> Tensor:
        """Map the features of all rows' tokens (tokens × width) to outputs.

        Args:
            features: the features.
            counts: how many of them each row has, shape (rows,).
        """
        outputs = self.layers(features, counts) if self.reads_rows else self.layers(features)
        return self.objective.from_layers(outputs)


class PromptedHead(Head):
    """Scores of a language model's answers → the outputs of the objective; without weights of its own."""

    def forward(self, scores: Tensor) -> Tensor:
        """Map the log-probabilities of answers to outputs."""
        return self.objective.from_answers(scores)


def make_head(task: Task, width: int) -> Head:
    """Build the head of a task.

    Args:
        task: the task, its label space resolved.
        width: width of the features; a prompted task reads none.
    """
    objective = make_objective(task)
    if task.is_prompted:
        return PromptedHead(objective)
    return TokenHead(objective, width) if task.reads_tokens else FeatureHead(objective, width)


def _make_layers(objective: Objective, width: int) -> nn.Sequential:
    hidden, last = nn.Linear(width, width), nn.Linear(width, objective.n_outputs)
    objective.start_layer(last)
    return nn.Sequential(nn.Dropout(_DROPOUT), hidden, nn.GELU(), nn.Dropout(_DROPOUT), last)
