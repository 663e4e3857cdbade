"""Baselines that need no model: the majority class or mean, VADER, and a text's first words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.kinds import Floats, Task, make_analysis

PROMPTED = ("zero_shot", "few_shot")
"""The baselines for which a language model is prompted, see `prompting`."""


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
    return make_analysis(task).majority(np.asarray(train_labels), n)


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
    return make_analysis(task).by_lexicon(_compound, texts, train_texts, np.asarray(train_labels))


def lead(task: Task, texts: Sequence[str], train_labels: npt.ArrayLike) -> npt.NDArray[Any] | None:
    """Write the first words of each text, as many as the median training target has (our design).

    Args:
        task: the resolved task.
        texts: the texts to write for; a second text is not read.
        train_labels: the training targets, shape (rows,).

    Returns:
        Texts in an object array, shape (n,); None where the task is not generation.
    """
    return make_analysis(task).lead(texts, np.asarray(train_labels))


def _compound(texts: Sequence[str]) -> Floats:
    # Here, because no other row of a table needs it.
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return np.array([analyzer.polarity_scores(text)["compound"] for text in texts], dtype=np.float64)
