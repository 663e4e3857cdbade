"""The last layers of heads, refitted to what a merged model makes of texts."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from equipoise.experts import choose_probe
from equipoise.kinds import Task, make_analysis
from equipoise.modeling import Head

Floats = npt.NDArray[np.float64]
Labelled = tuple[Floats, npt.NDArray[Any]]
"""What a last layer reads of rows, and their labels."""


class LastInputs(Head):
    """Predicts what a head's last layer reads.

    Args:
        head: a head whose `layers` end in a linear one.
    """

    def __init__(self, head: Head) -> None:
        super().__init__(head.objective)
        layers = head.get_submodule("layers")
        assert isinstance(layers, nn.Sequential)
        self.layers = layers[:-1]

    def forward(self, features: Tensor) -> Tensor:
        """Map features (rows × width) to what the last layer reads (rows × width)."""
        return self.layers(features)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the outputs."""
        return outputs.float()


def refit_module(
    task: Task, module: Head, train: Labelled, dev: Labelled | None = None, penalty: float = 100.0
) -> Head:
    """Return a copy of a head whose last layer is refitted.

    A merged model's features are no expert's, so that a module reads them askew (Yang et al., 2024, arXiv 2402.02705,
    who learn to correct the features). Here a linear model on standardized inputs takes the place of the last layer
    (see `LinearProbe`; our design).

    Args:
        task: the task.
        module: its module.
        train: to fit to.
        dev: to choose the penalty by; without it, it is given.
        penalty: see `LinearProbe`.
    """
    probe = make_analysis(task).make_probe(penalty).fit(*train) if dev is None else choose_probe(task, train, dev)
    weight, bias = probe.as_layer()
    made = copy.deepcopy(module)
    weight, bias = made.objective.to_outputs(weight, bias)
    last = made.get_submodule("layers")[-1]  # type: ignore[index]
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(weight))
        last.bias.copy_(torch.from_numpy(bias))
    return made


def last_inputs(modules: Mapping[str, Head]) -> dict[str, Head]:
    """Return modules that predict what the last layers of these read."""
    return {task: LastInputs(module) for task, module in modules.items()}
