"""How far a task's answers can be trusted: its calibration."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy.typing as npt

from .calibration import Calibration


class Calibrating:
    """The part of `Task` about calibration: what is fitted on dev and applied before anybody reads a prediction.

    `infer` returns predictions as the model makes them. What answers users or scores a model calls `calibrate` once, at
    the end: so what averages predictions, learns from them or merges models never does it twice.
    """

    calibrated_metrics: ClassVar[tuple[str, ...]] = ()
    """The metrics that calibration is there for; none for kinds that have none."""

    calibration: Calibration | None

    def fit_calibration(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Calibration | None:
        """Return what to apply to predictions; None for nothing, as most kinds have it.

        Args:
            predictions: the model's predictions on dev, not calibrated.
            gold: the encoded labels of dev.
        """
        return None

    def apply_calibration(self, predictions: npt.NDArray[Any], calibration: Calibration) -> npt.NDArray[Any]:
        """Return calibrated predictions, in the shape that they had."""
        return predictions

    def calibrate(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return calibrated predictions; those of a task that is not calibrated as they are.

        Args:
            predictions: as the model makes them, n in the first dimension.
        """
        if self.calibration is None or not len(predictions):
            return predictions
        return self.apply_calibration(predictions, self.calibration)

    @abstractmethod
    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""

    def calibrated(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Self:
        """Return this task calibrated on dev; see `fit_calibration`."""
        return self.without_calibration().replace(calibration=self.fit_calibration(predictions, gold))

    def without_calibration(self) -> Self:
        """Return this task for predictions that are not calibrated; what it decides stays the same."""
        return self if self.calibration is None else self.replace(calibration=None)
