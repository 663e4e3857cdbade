"""Rival rows of the table that need no model: the majority class or mean, VADER, and a text's first words."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from equipoise.kinds import Classification, Generation, Multilabel, Regression, Task

from .metrics import Floats

PROMPTED = ("zero_shot", "few_shot")
"""The rivals for which a language model is asked, see `asking`."""

# The line has two parameters: more rows would only take longer.
_MAX_FIT_ROWS = 5000
_CUT = 0.05


def majority(task: Task, train_labels: npt.ArrayLike, n: int) -> Floats | None:
    """Predict the most frequent class (the first of several), or the mean score, of train for every row.

    Of labels, those that apply to more than half of the training rows are predicted.

    Args:
        task: the resolved task.
        train_labels: encoded training labels, shape (rows,) or (rows, labels).
        n: rows to predict.

    Returns:
        Probabilities of 0 and 1, shape (n, classes), or scores, shape (n,); None for generation.
    """
    if isinstance(task, Generation):
        return None
    if isinstance(task, Multilabel):
        return np.tile(np.asarray(train_labels).mean(axis=0) > 0.5, (n, 1)).astype(np.float64)
    if isinstance(task, Classification):
        counts = np.bincount(np.asarray(train_labels, dtype=np.int64), minlength=len(task.classes))
        return _one_hot(np.full(n, counts.argmax()), len(task.classes))
    return np.full(n, np.asarray(train_labels, dtype=np.float64).mean())


def vader(task: Task, texts: Sequence[str], train_texts: Sequence[str], train_labels: npt.ArrayLike) -> Floats | None:
    """Predict by VADER's compound score (Hutto and Gilbert, ICWSM 2014).

    For regression, the compound score is brought to the user's units by the least-squares line of slope 0 or
    more, fitted on train (on 5,000 rows drawn with a fixed seed where there are more), then clipped to the task's
    range, as the model's scores are. Within the range the correlation stays VADER's own, and its MSE and MAE are
    the best a line can give. Where the slope would be negative, VADER has nothing to say about the task and
    predicts the mean. For three classes cut from a score, its published
    cut points hold: 0.05 and above is the highest class, −0.05 and below the lowest.

    Args:
        task: the resolved task.
        texts: the texts to predict; a second text is not read.
        train_texts: training texts, as many as train_labels.
        train_labels: encoded training labels, shape (rows,).

    Returns:
        One-hot probabilities, shape (n, 3), or scores, shape (n,); None where VADER does not apply.
    """
    if isinstance(task, Classification):
        if not task.from_score or len(task.classes) != 3:
            return None
        compound = _compound(texts)
        return _one_hot(1 + (compound >= _CUT) - (compound <= -_CUT), 3)
    if not isinstance(task, Regression):
        return None
    labels = np.asarray(train_labels, dtype=np.float64)
    rows = np.arange(len(labels))
    if len(rows) > _MAX_FIT_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(rows), _MAX_FIT_ROWS, replace=False))
    labels = labels[rows]
    x = _compound([train_texts[int(row)] for row in rows])
    variance = x.var()
    slope = max(0.0, np.mean((x - x.mean()) * (labels - labels.mean())) / variance) if variance > 0 else 0.0
    return task.clip(labels.mean() + slope * (_compound(texts) - x.mean()))


def lead(task: Task, texts: Sequence[str], train_labels: npt.ArrayLike) -> npt.NDArray[Any] | None:
    """Write the first words of each text, as many as the median training target has (our design).

    Args:
        task: the resolved task.
        texts: the texts to write for; a second text is not read.
        train_labels: the training targets, shape (rows,).

    Returns:
        Texts in an object array, shape (n,); None where the task is not generation.
    """
    if not isinstance(task, Generation):
        return None
    length = math.ceil(np.median([len(str(target).split()) for target in np.asarray(train_labels)]))
    return np.array([" ".join(text.split()[:length]) for text in texts], dtype=object)


def _compound(texts: Sequence[str]) -> Floats:
    analyzer = SentimentIntensityAnalyzer()
    return np.array([analyzer.polarity_scores(text)["compound"] for text in texts], dtype=np.float64)


def _one_hot(classes: npt.NDArray[np.int64], n_classes: int) -> Floats:
    return np.eye(n_classes)[classes]
