"""A predictor that computes nothing: answers follow from the text alone."""

import time
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.kinds import Classification, Regression, Task
from equipoise.predicting import BasePredictor


class LengthPredictor(BasePredictor):
    """Says how long texts are, and fails on those that hold "boom"."""

    def __init__(self, seconds: float = 0.0, *, only_pairs: bool = False) -> None:
        self.batches: list[int] = []
        self.seconds = seconds
        towards = Classification("towards", "s", "text", "target", "label", "macro_f1", classes=("<b>no</b>", "yes"))
        alone = {
            "length": Regression("length", "s", "text", None, "length", "pearson"),
            "long": Classification("long", "s", "text", None, "long", "macro_f1", classes=("no", "yes")),
        }
        self._tasks: dict[str, Task] = {**({} if only_pairs else alone), "towards": towards}

    @property
    def tasks(self) -> dict[str, Task]:
        return self._tasks

    def infer(
        self,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        tasks: Collection[str],
        batch_size: int,
        *,
        prompts: int = 1,
        label: str | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        if any("boom" in text for text in texts):
            raise RuntimeError(f"cannot read {texts}")
        self.batches.append(len(texts))
        time.sleep(self.seconds)
        lengths = np.array([len(text + (pair or "")) for text, pair in zip(texts, pairs, strict=True)], dtype=float)
        share = np.clip(lengths / 100, 0, 1)
        return {name: lengths if name == "length" else np.stack([1 - share, share], axis=1) for name in tasks}
