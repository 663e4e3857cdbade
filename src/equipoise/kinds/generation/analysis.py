"""The analysis of generation."""

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..analysis import Analysis, Labels
from ..metrics import Floats
from .metrics import METRICS

_WORD = re.compile(r"\w+(?:['’]\w+)*")


class GenerationAnalysis(Analysis):
    """What is known of texts that are written."""

    def lead(self, texts: Sequence[str], train_labels: Labels) -> Labels | None:
        """Take the first words of each text, as many as the median training target has."""
        length = math.ceil(np.median([len(str(target).split()) for target in np.asarray(train_labels)]))
        return np.array([" ".join(text.split()[:length]) for text in texts], dtype=object)

    def rarity(self, labels: Labels) -> Floats:
        """Return the number of words of each target."""
        return np.array([len(_WORD.findall(str(label))) for label in labels], dtype=np.float64)

    def label_entropy(self, labels: Labels) -> float | None:
        """Return None: the number of words is no entropy."""
        return None

    wrong_means = "no word in common with the target"

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return 1 − ROUGE-L."""
        rouge = METRICS["rouge_l"].items
        assert rouge is not None
        return 1 - rouge(gold, predictions)

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which texts have no word in common with their target."""
        return self.distance(predictions, gold) >= 1
