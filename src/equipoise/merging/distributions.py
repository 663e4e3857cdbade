"""Models on a base: what they hold for how probable."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor
from torch.func import functional_call

from equipoise.data import EncodedRows
from equipoise.errors import ModelError
from equipoise.kinds import Task
from equipoise.modeling import MultiTaskModel, make_batch

from .base import Base


def has_distribution(task: Task) -> bool:
    """Whether a model gives each answer to a task a probability.

    So it is for classes and labels, and for scores where they are answers of a language model (`prompt`); not for
    scores of a head, and not, in a list that ends, for texts.
    """
    return task.has_distribution


def answer(
    model: MultiTaskModel,
    task: str,
    rows: EncodedRows,
    parameters: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Return the outputs of a task's module for some rows, with the graph.

    Args:
        model: the model.
        task: the task.
        rows: what `MultiTaskModel.encode_rows` returned: rows of `FlatRows`, or a dictionary for each.
        parameters: what takes the place of the model's own parameters, by their names.
    """
    batch = make_batch(model, rows, {task: np.arange(len(rows))})
    found: dict[str, Tensor] = functional_call(model, dict(parameters or {}), batch)
    return found[task]


def log_probabilities(
    model: MultiTaskModel,
    task: str,
    rows: EncodedRows,
    parameters: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Return the log-probability of every answer, with the graph; see `answer` for the arguments.

    Args:
        model: the model.
        task: a task that `has_distribution`.
        rows: the rows.
        parameters: what takes the place of the model's own.

    Returns:
        rows × questions × answers, in nats: one question for classes and scores; for labels one each, "no" and "yes".
    """
    scores: list[Tensor] = []
    hook = model.head(task).register_forward_pre_hook(lambda module, given: scores.append(given[0]))
    try:
        outputs = answer(model, task, rows, parameters).float()
    finally:
        hook.remove()
    return model.head(task).objective.log_probabilities(outputs, scores[0])


def check_on(base: Base, model: MultiTaskModel) -> None:
    """Make sure that a model is on a base: that it computes with the base's own tensors.

    Raises:
        ModelError: it has a backbone of its own.
    """
    if all(part is not model.backbone for part in base.backbone.modules()):
        raise ModelError(
            f"merge: the model of {', '.join(model.tasks)} has a backbone of its own, expected that of '{base.name}'; "
            "load it with MultiTaskModel.from_pretrained(folder, on=…)."
        )
