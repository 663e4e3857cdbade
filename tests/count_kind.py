"""A kind of task that Equipoise does not have: how often something happens, by a Poisson regression.

It is what a package of somebody else would hold: nothing of it is known under `src/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from equipoise.kinds import (
    Analysis,
    Kind,
    LabelColumn,
    LabelError,
    Objective,
    ScoreProbe,
    Suggestion,
    Task,
    TaskConfig,
    get_metric,
    mean_metric,
    parse_number,
)


@dataclass(frozen=True)
class Count(Task):
    """How often something happens: 0, 1, 2 …"""

    kind: ClassVar[str] = "count"
    metrics: ClassVar[tuple[str, ...]] = ("spearman", "deviance")
    primary_metrics: ClassVar[tuple[str, ...]] = ("spearman",)
    item_metric: ClassVar[str] = "deviance"
    label_type: ClassVar[str] = "float64"

    largest: int = 100

    def parse(self, cell: Any) -> float:
        """Read a whole number from 0 to `largest`."""
        number = parse_number(cell)
        if not (number.is_integer() and 0 <= number <= self.largest):
            raise LabelError(f"found {number:g}, expected a whole number from 0 to {self.largest}")
        return number

    def fit(self, labels: Sequence[Any]) -> Self:
        """There is no label space to find."""
        return self

    def encode(self, label: Any) -> float:
        """Return the number."""
        return float(label)

    def merge(self, labels: Sequence[Any]) -> float:
        """Return the largest."""
        return max(labels)

    @property
    def merge_rule(self) -> str:
        """What `merge` does."""
        return "largest taken"

    def answer(self, prediction: Any) -> dict[str, Any]:
        """Return how often it is expected."""
        return {"count": float(prediction)}


class CountConfig(TaskConfig):
    """The run file's keys of a count."""

    kind: Literal["count"] = Field(description="How often something happens.")
    largest: int = Field(100, description="Largest possible count.")

    def task_fields(self) -> dict[str, Any]:
        """Return the largest count."""
        return {"largest": self.largest}


class CountObjective(Objective):
    """The logarithm of the expected count, trained by the Poisson loss."""

    def from_layers(self, outputs: Tensor) -> Tensor:
        """Map rows × 1 to logarithms (rows,)."""
        return outputs.squeeze(-1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The negative log-likelihood of each row but for a constant, in nats."""
        return F.poisson_nll_loss(outputs.float(), targets, reduction="none")

    def predict(self, outputs: Tensor) -> Tensor:
        """The expected counts."""
        return torch.exp(outputs.float())


class CountAnalysis(Analysis):
    """What is known of counts."""

    task: Count

    def majority(self, train_labels: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
        """Predict the mean."""
        return np.full(n, train_labels.mean())

    def rarity(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """−log₂ of each count's share."""
        shares = np.bincount(labels.astype(int)) / len(labels)
        return -np.log2(shares[labels.astype(int)])

    def make_probe(self, penalty: float) -> ScoreProbe:
        """A ridge regression."""
        return ScoreProbe(penalty, (0, self.task.largest))

    def distance(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The error's share of the range."""
        return np.abs(predictions - gold) / max(1.0, np.ptp(gold))

    def is_wrong(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Which counts are off by one or more."""
        return np.abs(predictions - gold) >= 1


def _deviance(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
    expected = np.maximum(predictions, 1e-9)
    return 2 * (gold * np.log(np.maximum(gold, 1e-9) / expected) - gold + expected)


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest counts for columns of whole numbers that are called so."""
    return [
        Suggestion((column.name,), {"largest": column.whole_numbers[-1]}, 0.99, "counts")
        for column in columns
        if column.whole_numbers and column.is_called(["votes"])
    ]


METRICS = {"spearman": get_metric("spearman"), "deviance": mean_metric("deviance", False, _deviance)}

KIND = Kind(
    Count,
    config="count_kind:CountConfig",
    objective="count_kind:CountObjective",
    analysis="count_kind:CountAnalysis",
    metrics="count_kind:METRICS",
    proposal="count_kind:propose",
)
