"""How far a task's answers can be trusted: its calibration, sets that hold the truth, and when it is unsure."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .calibration import Calibration
from .conformity import Conformity, Floats


class Calibrating:
    """The part of `Task` about trust: what is fitted on dev, and what it adds to answers.

    `infer` returns predictions as the model makes them. What answers users or scores a model calls `calibrate` once, at
    the end: so what averages predictions, learns from them or merges models never does it twice. All other methods take
    calibrated predictions.
    """

    kind: ClassVar[str]
    calibrated_metrics: ClassVar[tuple[str, ...]] = ()
    """The metrics that calibration is there for; none for kinds that have none."""
    set_methods: ClassVar[tuple[str, ...]] = ()
    """The methods by which sets or intervals are made, the default first; none for kinds that have none."""
    size_metric: ClassVar[str] = "set_size"
    """What records call the size of its sets: "set_size" or "interval_width"."""

    calibration: Calibration | None
    conformity: Conformity | None

    @property
    def distributions(self) -> int:
        """How many sets there are for a row: one; of labels one for each."""
        return 1

    @property
    def is_calibrated(self) -> bool:
        """Whether it was calibrated, if only to find that there is nothing to change."""
        return self.calibration is not None or self.conformity is not None

    @property
    def has_confidence(self) -> bool:
        """Whether its answers have a probability of being right, below which it can be unsure."""
        return False

    @abstractmethod
    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""

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

    def calibrated(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Self:
        """Return this task calibrated on dev, with how dev's rows conform to it.

        Args:
            predictions: the model's predictions on dev, not calibrated.
            gold: the encoded labels of dev.
        """
        task = self.without_calibration()
        task = task.replace(calibration=task.fit_calibration(predictions, gold))
        if not (task.set_methods and len(gold)):
            return task
        after = task.calibrate(predictions)
        scores = {method: task.score_conformity(method, after, gold) for method in task.set_methods}
        return task.replace(conformity=Conformity.of(scores))

    def without_calibration(self) -> Self:
        """Return this task for predictions that are not calibrated; what it decides stays the same."""
        if not self.is_calibrated:
            return self
        return self.replace(calibration=None, conformity=None)

    def decided_as(self, opened: Self) -> Self:
        """Return this task deciding as a run file's task states it."""
        return self

    def find_trust_problem(self) -> str:
        """Say what is wrong with calibration or conformity that was read from a file; "" if nothing is."""
        if self.calibration is not None and (problem := self.calibration.find_problem()):
            return problem
        return "" if self.conformity is None else self.conformity.find_problem(self.set_methods, self.distributions)

    def score_conformity(self, method: str, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return how badly each row's label conforms to its prediction, shape (n, distributions).

        Args:
            method: one of `set_methods`.
            predictions: calibrated.
            gold: the encoded labels.
        """
        raise NotImplementedError(self.kind)

    def make_sets(self, method: str, predictions: npt.NDArray[Any], bounds: Floats) -> npt.NDArray[Any]:
        """Return what conforms to each prediction: a mask of classes, or the ends of an interval; n first.

        Args:
            method: one of `set_methods`.
            predictions: calibrated.
            bounds: see `Conformity.bounds`.
        """
        raise NotImplementedError(self.kind)

    def covers(self, sets: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return whether each row's set holds its label, 0 or 1; of labels the share of those whose set does."""
        raise NotImplementedError(self.kind)

    def sizes(self, sets: npt.NDArray[Any]) -> Floats:
        """Return how large each row's set is: the number of its classes, or the width of an interval."""
        raise NotImplementedError(self.kind)

    def describe_set(self, found: npt.NDArray[Any], prediction: Any) -> dict[str, Any]:
        """Return what an answer says of a row's set, as plain JSON data."""
        raise NotImplementedError(self.kind)

    def confidences(self, predictions: npt.NDArray[Any]) -> Floats:
        """Return the probability that what is decided is right, shape (n,), of each label (n, labels), or item."""
        raise NotImplementedError(self.kind)

    def is_right(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return whether what is decided is right, in the shape of `confidences`."""
        raise NotImplementedError(self.kind)

    def abstain(self, answer: Any, prediction: Any, least: float) -> Any:
        """Return an answer that says where it is unsure.

        Args:
            answer: what `answer` returned.
            prediction: for the same row.
            least: the confidence below which it is.
        """
        raise NotImplementedError(self.kind)


def read_trust(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a task about trust that a file holds as objects."""
    found: dict[str, Any] = {}
    if isinstance(calibration := fields.get("calibration"), Mapping):
        found["calibration"] = Calibration(**calibration)
    if isinstance(conformity := fields.get("conformity"), Mapping):
        scores = {method: tuple(columns) for method, columns in conformity["scores"].items()}
        found["conformity"] = Conformity(conformity["rows"], scores)
    return found
