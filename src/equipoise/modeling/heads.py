"""Heads: the small part of the model that belongs to one task."""

from torch import Tensor, nn

from equipoise.kinds import Objective, Task, make_objective

_DROPOUT = 0.1


class Head(nn.Module):
    """Answers for one task, in the way of its kind's objective.

    Args:
        objective: what the outputs mean.
    """

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, shape (rows,)."""
        return self.objective.loss(outputs, targets)

    def predict(self, outputs: Tensor) -> Tensor:
        """Turn outputs into predictions: probabilities, or scores in the user's units."""
        return self.objective.predict(outputs)


class FeatureHead(Head):
    """Features → hidden layer → the outputs of the objective.

    Args:
        objective: what the outputs mean.
        width: width of the features.
    """

    def __init__(self, objective: Objective, width: int) -> None:
        super().__init__(objective)
        self.layers = _make_layers(width, objective.n_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (rows × width) to outputs."""
        return self.objective.from_layers(self.layers(features))


class TokenHead(Head):
    """Features of tokens → the outputs of the objective, for each cell of each row; a cell is mostly a token.

    Args:
        objective: what the outputs mean.
        width: width of the features.
    """

    def __init__(self, objective: Objective, width: int) -> None:
        super().__init__(objective)
        own = objective.make_layers(width)
        self._reads_rows = own is not None
        self.layers = _make_layers(width, objective.n_outputs) if own is None else own

    def forward(self, features: Tensor, counts: Tensor) -> Tensor:
        """Map the features of all rows' tokens (tokens × width) to outputs.

        Args:
            features: the features.
            counts: how many of them each row has, shape (rows,).
        """
        outputs = self.layers(features, counts) if self._reads_rows else self.layers(features)
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


def _make_layers(width: int, n_outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(_DROPOUT),
        nn.Linear(width, width),
        nn.GELU(),
        nn.Dropout(_DROPOUT),
        nn.Linear(width, n_outputs),
    )
