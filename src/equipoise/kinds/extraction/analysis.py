"""The analysis of extraction."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis import Analysis, Labels
from ..class_analysis import bits
from ..metrics import Floats
from ..spans import load_items, write_items
from .metrics import METRICS
from .task import Extraction


class ExtractionAnalysis(Analysis):
    """What is known of terms that texts mention."""

    task: Extraction
    part_metrics = ("f1",)

    def majority(self, train_labels: Labels, n: int) -> Labels | None:
        """Predict no term: no term is frequent."""
        return np.array(["[]"] * n, dtype=object)

    def rarity(self, labels: Labels) -> Floats:
        """Return how rare the number of terms of each text is, in bits (our design)."""
        return bits(np.array([len(load_items(str(label))) for label in labels]))

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return 1 − F1 of each text."""
        items = METRICS["text_f1"].items
        assert items is not None
        return 1 - items(gold, predictions)

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which texts have a term too many or too few, or another class."""
        return self.distance(predictions, gold) > 0

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return micro-F1 of each class."""
        names = self.task.class_names or ("",)
        return [{"f1": self._score(name, gold, predictions)} for name in names]

    def _score(self, name: str, gold: Labels, predictions: Labels) -> float | None:
        golds = self._of_class(name, gold)
        if not any(label != "[]" for label in golds):
            return None
        metric = METRICS["extraction_f1"]
        return float(np.mean([metric(golds, self._of_class(name, of_seed)) for of_seed in predictions]))

    def _of_class(self, name: str, encoded: Labels) -> npt.NDArray[Any]:
        """Return only the terms of one class of each text."""
        return np.array(
            [_only(name, self.task.class_key, text) if name else str(text) for text in encoded], dtype=object
        )


def _only(name: str, key: str, encoded: Any) -> str:
    return write_items([item for item in load_items(str(encoded)) if item.get(key, "") == name])
