"""The analysis of opinions that texts state."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .analysis import Analysis, Labels
from .class_analysis import bits
from .metrics import Floats
from .spans import load_items, write_items
from .triplets.task import Triplets
from .tuple_metrics import micro_f1, text_f1


class OpinionAnalysis(Analysis):
    """What is known of opinions."""

    task: Triplets
    part_metrics = ("f1",)

    def majority(self, train_labels: Labels, n: int) -> Labels | None:
        """Predict no opinion: none is frequent."""
        return np.array(["[]"] * n, dtype=object)

    def rarity(self, labels: Labels) -> Floats:
        """Return how rare the number of opinions of each text is, in bits (our design)."""
        return bits(np.array([len(load_items(str(label))) for label in labels]))

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return 1 − F1 of each text."""
        return 1 - text_f1(self.task.compared, gold, self.task.decide(predictions))

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which texts have an opinion too many, too few, or another one."""
        return self.distance(predictions, gold) > 0

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return micro-F1 of each polarity."""
        return [{"f1": self._score(name, gold, predictions)} for name in self.task.class_names]

    def _score(self, name: str, gold: Labels, predictions: Labels) -> float | None:
        golds = _of_polarity(name, gold)
        if all(label == "[]" for label in golds):
            return None
        scores = [micro_f1(golds, _of_polarity(name, of_seed), self.task.compared) for of_seed in predictions]
        return float(np.mean(scores))


def _of_polarity(name: str, encoded: Labels) -> npt.NDArray[Any]:
    return np.array(
        [write_items([item for item in load_items(str(text)) if item["polarity"] == name]) for text in encoded],
        dtype=object,
    )
