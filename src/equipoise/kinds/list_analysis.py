"""The analysis of kinds whose labels are lists of what a text says: terms, or opinions."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .analysis import Analysis, Labels
from .class_analysis import bits
from .metrics import Floats
from .spans import load_items, write_items
from .tuple_metrics import micro_f1, text_f1


class ListAnalysis(Analysis):
    """What is known of lists, whose items `task.compared` tells apart and `task.class_key` gives a class."""

    task: Any
    part_metrics = ("f1",)
    wrong_means = "an item too many, too few, or another one"

    def majority(self, train_labels: Labels, n: int) -> Labels | None:
        """Predict empty lists: no item is frequent."""
        return np.array(["[]"] * n, dtype=object)

    def rarity(self, labels: Labels) -> Floats:
        """Return how rare the length of each text's list is, in bits (our design)."""
        return bits(np.array([len(load_items(str(label))) for label in labels]))

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return 1 − F1 of each text."""
        return 1 - text_f1(self.task.compared, gold, self.task.decide(predictions))

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which texts have an item too many, too few, or another one."""
        return self.distance(predictions, gold) > 0

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return micro-F1 of each class."""
        return [{"f1": self._score(name, gold, predictions)} for name in self.task.class_names or ("",)]

    def _score(self, name: str, gold: Labels, predictions: Labels) -> float | None:
        golds = self._of_class(name, gold)
        if all(label == "[]" for label in golds):
            return None
        scores = [micro_f1(golds, self._of_class(name, of_seed), self.task.compared) for of_seed in predictions]
        return float(np.mean(scores))

    def _of_class(self, name: str, encoded: Labels) -> npt.NDArray[Any]:
        """Return only the items of one class of each text; all, without a name."""
        key = self.task.class_key
        kept = ([item for item in load_items(str(text)) if not name or item.get(key) == name] for text in encoded)
        return np.array([write_items(items) for items in kept], dtype=object)
