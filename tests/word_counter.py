"""A predictor without a network, which answers at once."""

import os
import signal
from pathlib import Path

import numpy as np

from equipoise.kinds import Classification, Regression
from equipoise.predicting import BasePredictor

TASKS = {
    "words": Regression("words", "s", "text", None, "score", "pearson"),
    "tone": Classification("tone", "s", "text", None, "label", "macro_f1", ("bad", "good")),
    "towards": Classification("towards", "s", "text", "aspect", "label", "macro_f1", ("bad", "good"), auxiliary=True),
}


class WordCounter(BasePredictor):
    """Scores a text by its words. A text of more than five is cut; "die" ends the process."""

    max_length = 5

    @property
    def tasks(self):
        return TASKS

    def infer(self, texts, pairs, tasks, batch_size, *, prompts=1, label=None):
        if "die" in texts:
            os.kill(os.getpid(), signal.SIGKILL)
        self.texts_read += len(texts)
        self.texts_cut += sum(len(text.split()) > 5 for text in texts)
        counts = np.array([min(5, len(text.split())) for text in texts], float)
        good = np.array([(len(text) % 7 + 1) / 9 for text in texts])
        found = {"words": counts, "tone": np.stack([1 - good, good], 1), "towards": np.stack([good, 1 - good], 1)}
        return {task: found[task] for task in tasks}


def load() -> WordCounter:
    return WordCounter()


def write_model(folder: Path) -> Path:
    """A folder by which the model is known."""
    folder.mkdir()
    (folder / "equipoise.json").write_text("{}")
    return folder
