"""Difficulty by meta data: what can be said of examples and tasks without a model."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from equipoise.data import Table
from equipoise.kinds import make_analysis

from .ranks import Floats, weigh

EXAMPLE_WEIGHTS = {"length": 1.0, "word_rarity": 1.0, "label_rarity": 1.0, "disagreement": 2.0}
"""How much each part counts in an example's score (our design): what people disagree on counts twice."""
TASK_WEIGHTS = {
    "classes": 1.0,
    "label_entropy": 1.0,
    "lexical_diversity": 1.0,
    "length": 1.0,
    "inputs": 1.0,
    "disagreement": 2.0,
}
"""How much each part counts in a task's score (our design)."""
SEGMENT = 50
"""Words of a segment in which different words are counted."""
_WORD = re.compile(r"\w+(?:['’]\w+)*")


def describe_examples(table: Table, task: str) -> dict[str, Floats]:
    """Return the parts of the examples' difficulty by meta data; more is harder.

    Args:
        table: the table.
        task: a task.

    Returns:
        In the order of the task's training labels: "length", words of text and second text; "word_rarity", the mean
        −log₂ of the words' shares in the task's training texts; "label_rarity", −log₂ of the label's share, summed
        over the labels of a multilabel task, by one of ten bins for a score, or the words of a text to generate;
        and where the source names a column of it "disagreement", NaN where the cell is empty.
    """
    words = _words(table, task)
    counts = Counter(word for row in words for word in row)
    total = sum(counts.values())
    rarity = {word: -np.log2(count / total) for word, count in counts.items()}
    parts = {
        "length": np.array([len(row) for row in words], dtype=np.float64),
        "word_rarity": np.array([np.mean([rarity[word] for word in row]) if row else 0.0 for row in words]),
        "label_rarity": make_analysis(table.tasks[task]).rarity(table.labels(task, "train")),
    }
    disagreement = _disagreement(table, task)
    return parts if np.isnan(disagreement).all() else {**parts, "disagreement": disagreement}


def score_examples(table: Table, task: str) -> Floats:
    """Return each training example's difficulty by meta data: the weighted mean of its parts' ranks within the task.

    Args:
        table: the table.
        task: a task.

    Returns:
        In the order of the task's training labels, between 0 (easy) and 1 (hard).
    """
    return weigh(describe_examples(table, task), EXAMPLE_WEIGHTS)


def describe_tasks(table: Table) -> dict[str, dict[str, float | None]]:
    """Return the meta data of each task's training examples.

    Returns:
        By task: "classes" (labels of a multilabel task; None without classes), "label_entropy" in bits (None for
        generation), "lexical_diversity", the mean share of different words in segments of `SEGMENT` words (mean
        segmental type-token ratio, which does not fall with the length of the corpus), "length", the mean number of
        words, "inputs" (1, or 2 with a second text), "disagreement", the mean (None where not known), and "score",
        the weighted mean of these parts' ranks among the tasks, between 0 (easy) and 1 (hard).
    """
    found = {name: _describe_task(table, name) for name in table.tasks}
    parts = {
        key: np.array([np.nan if about[key] is None else about[key] for about in found.values()], dtype=np.float64)
        for key in TASK_WEIGHTS
    }
    scores = weigh(parts, TASK_WEIGHTS)
    return {name: {**about, "score": float(score)} for (name, about), score in zip(found.items(), scores, strict=True)}


def _describe_task(table: Table, name: str) -> dict[str, float | None]:
    task, words = table.tasks[name], _words(table, name)
    disagreement = _disagreement(table, name)
    known = disagreement[~np.isnan(disagreement)]
    return {
        "classes": len(task.class_names) or None,
        "label_entropy": make_analysis(task).label_entropy(table.labels(name, "train")),
        "lexical_diversity": segmental_diversity(words),
        "length": float(np.mean([len(row) for row in words])),
        "inputs": 1 if task.pair is None else 2,
        "disagreement": float(known.mean()) if len(known) else None,
    }


def segmental_diversity(texts: Sequence[Sequence[str]]) -> float:
    """Return the mean share of different words in segments of `SEGMENT` words (Johnson 1944).

    The texts are read one after the other; words left at the end are left out, unless there is no whole segment.

    Args:
        texts: the words of each text.
    """
    words = [word for text in texts for word in text]
    whole = len(words) // SEGMENT
    segments = [words[SEGMENT * i : SEGMENT * (i + 1)] for i in range(whole)] or [words]
    return float(np.mean([len(set(segment)) / max(1, len(segment)) for segment in segments]))


def _words(table: Table, task: str) -> list[list[str]]:
    rows = table.splits["train"][table.rows(task, "train")]
    return [
        _WORD.findall(f"{text} {pair or ''}".casefold()) for text, pair in zip(rows["text"], rows["pair"], strict=True)
    ]


def _disagreement(table: Table, task: str) -> Floats:
    train = table.splits["train"]
    if "disagreement" not in train.column_names:
        return np.full(len(table.rows(task, "train")), np.nan)
    column = np.array([np.nan if cell is None else cell for cell in train["disagreement"][:]], dtype=np.float64)
    return column[table.rows(task, "train")]
