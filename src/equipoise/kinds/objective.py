"""What the outputs of a head mean: the loss they are trained by, and the predictions they give."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .calibration import MIN_ROWS, TEMPERATURES
from .metrics import Floats
from .task import Task

TEMPERATURE = 2.0
"""T by which logits are divided, as in learning without forgetting (Li and Hoiem 2016, arXiv 1606.09282)."""

USUAL = 4.0
"""How much more probable than others an output that nearly all cells have is at first, as a logit: to learn that first
would be a large loss that says little of the task."""


def log_odds(logits: Tensor, places: Tensor) -> Tensor:
    """Return the log-odds of one class of each row: the logarithm of its probability over that of all others.

    Args:
        logits: rows × classes.
        places: the class of each row, shape (rows,).
    """
    logits, chosen = logits.float(), places[:, None]
    others = logits.scatter(1, chosen, float("-inf")).logsumexp(dim=-1)
    return logits.gather(1, chosen).squeeze(1) - others


class Objective(nn.Module, ABC):
    """The torch side of a kind of task, for heads on features and for prompted language models alike.

    Args:
        task: the task, its label space resolved.

    Attributes:
        n_outputs: numbers that a head gives for a row.
        target_type: the type of the targets that `loss` takes.
        calibrates: whether `calibrate` changes anything; the outputs of a row are few numbers then.
    """

    n_outputs: int = 1
    target_type: torch.dtype = torch.float32
    calibrates: bool = False

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task_name = task.name

    def make_layers(self, width: int) -> "nn.Module | None":
        """Return what a head computes its outputs with, where the usual two layers do not do.

        A kind that reads tokens is given the features of all rows' tokens (tokens × width), and how many tokens each
        row has (rows,); it returns cells × n_outputs, row after row.

        Args:
            width: width of the features.
        """
        return None

    def start_layer(self, last: nn.Linear) -> None:
        """Change the first weights of a head's last layer, where one output is right for nearly all cells."""

    def from_layers(self, outputs: Tensor) -> Tensor:
        """Bring the outputs of a head's last layer (rows × n_outputs) into the shape that `loss` and `predict` take."""
        return outputs

    def from_answers(self, scores: Tensor) -> Tensor:
        """Turn the scores of a language model's answers into outputs, as `from_layers` returns them.

        Args:
            scores: log-probabilities, rows × the answers of all questions in order; of text that is written, tokens.
        """
        raise NotImplementedError(f"task '{self.task_name}': its kind cannot be asked of a language model")

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, shape (rows,)."""

    def calibrate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return outputs with the calibration that lowers the loss on these very rows most, of those a run fits on dev.

        Fewer than `MIN_ROWS` rows stay as they are.

        Args:
            outputs: the outputs of some rows.
            targets: their targets.
        """
        return outputs

    def distillation_loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Return how far the outputs of each row are from those of another model, which has the same task.

        Args:
            outputs: the outputs.
            answers: the other model's outputs for the same rows.

        Returns:
            Shape (rows,), as `loss` has it; 0 where both agree. By default the mean squared difference of the outputs.
        """
        return squared_distance(outputs, answers)

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """Turn outputs into predictions: probabilities, or scores in the user's units."""

    def log_probabilities(self, outputs: Tensor, scores: Tensor) -> Tensor:
        """Return the log-probability of every answer, rows × questions × answers, in nats.

        Args:
            outputs: the outputs.
            scores: what the head was given: features, or the scores of answers.
        """
        raise NotImplementedError(f"task '{self.task_name}': a model gives its answers no probability")

    def explained(self, outputs: Tensor, places: Tensor) -> Tensor:
        """Return the number of each row that an explanation takes apart, shape (rows,), smooth in the outputs.

        Of kinds whose head reads tokens, rows are cells here, and the mean over the cells of an item is taken apart.

        Args:
            outputs: the outputs.
            places: which number it is, as `Task.explained` (or `Task.explained_cells`) counts them, shape (rows,).
        """
        raise NotImplementedError(f"task '{self.task_name}': its kind cannot be explained")

    def to_outputs(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Turn a linear layer that gives logits, or scores in the user's units, into one that gives outputs."""
        return weight, bias


def cool(objective: Objective, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return logits divided by the temperature with the lowest mean loss, where there are enough rows to tell.

    Args:
        objective: what the logits mean.
        outputs: the logits of some rows.
        targets: their targets.
    """
    if len(outputs) < MIN_ROWS:
        return outputs
    # Only a fit needs scipy.
    from scipy.optimize import minimize_scalar

    def lose(log_temperature: float) -> float:
        return float(objective.loss(outputs / math.exp(log_temperature), targets).mean())

    bounds = tuple(map(math.log, TEMPERATURES))
    return outputs / math.exp(minimize_scalar(lose, bounds=bounds, method="bounded").x)


def class_divergence(outputs: Tensor, answers: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return T² times the divergence of the class probabilities at temperature T from the answers', in nats.

    T² keeps the size of the gradient whatever T is (Hinton, Vinyals and Dean 2015, arXiv 1503.02531). Unlike their
    cross-entropy, whose gradient is the same, the Kullback–Leibler divergence is zero where both agree.

    Args:
        outputs: logits, or log-probabilities; classes in the last dimension.
        answers: those of the other model.
        temperature: T.

    Returns:
        The shape of the outputs without their last dimension.
    """
    ours, theirs = ((part.float() / temperature).log_softmax(dim=-1) for part in (outputs, answers))
    return temperature**2 * (theirs.exp() * (theirs - ours)).sum(dim=-1)


def label_divergence(outputs: Tensor, answers: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the same for labels that apply or not, each by itself.

    Args:
        outputs: the logit of each label.
        answers: those of the other model.
        temperature: T.

    Returns:
        The shape of the outputs.
    """
    return class_divergence(_with_zero(outputs), _with_zero(answers), temperature)


def _with_zero(logits: Tensor) -> Tensor:
    """Return the logits of applies and not."""
    return torch.stack([logits.float(), torch.zeros_like(logits, dtype=torch.float32)], dim=-1)


def squared_distance(outputs: Tensor, answers: Tensor) -> Tensor:
    """Return the squared difference of each row's outputs, averaged over them, shape (rows,)."""
    each = F.mse_loss(outputs.float(), answers.float(), reduction="none")
    return each if each.ndim == 1 else each.flatten(1).mean(dim=1)
