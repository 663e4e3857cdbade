"""Scoring one task's predictions: every metric, on all rows and on subsets, with intervals."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.errors import ModelError
from equipoise.kinds import Floats, Statistic, Task, make_metric

from .records import Record
from .statistics import Estimate

_MAX_SUBSETS = 20
# Resamples are drawn a chunk at a time: this many numbers (16 MB) at once.
_CHUNK = 2_000_000


def score_task(
    task: Task,
    predictions: npt.ArrayLike,
    gold: npt.ArrayLike,
    *,
    split: str,
    model: str,
    texts: npt.ArrayLike | None = None,
    subsets: Mapping[str, npt.NDArray[Any]] | None = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> list[Record]:
    """Score one task's predictions by all metrics of its kind, and by its primary one.

    The 95 % interval is the percentile bootstrap's (Efron 1979): rows are drawn with replacement, as if they
    were independent, and the metric is computed again. Resamples depend on the seed and the number of rows alone,
    so models scored on the same rows are scored on the same resamples.

    Args:
        task: the resolved task.
        predictions: probabilities, shape (n, classes), or scores in the user's units or texts, shape (n,).
        gold: the labels as `Table.labels` returns them.
        split: name of the split, for the records.
        model: "run" or a baseline's name, for the records.
        texts: the input texts, shape (n,); without them `task.text_metrics` are left out.
        subsets: per column its value on each row, shape (n,), None where a row has none. Each of the 20 most
            frequent values with two rows or more gets records of its own.
        bootstrap: resamples behind an interval; 0 leaves the intervals out.
        seed: seed of the resamples.

    Returns:
        Records in the order of `task.reported`, subset "all" first.

    Raises:
        ModelError: a prediction is NaN or infinite.
        ValueError: there are no rows, or the shapes do not fit each other.
    """
    gold = np.asarray(gold)
    predictions = np.asarray(predictions, dtype=task.prediction_type)
    _check(task, predictions, gold, split)
    decided = task.decide(predictions)
    against = dict.fromkeys(task.scored_metrics, gold)
    if texts is not None:
        against |= dict.fromkeys(task.text_metrics, np.asarray(texts, dtype=object))
    measured = [(make_metric(task, name), truth) for name, truth in against.items()]
    records: list[Record] = []
    for subset, rows in _select(len(gold), subsets or {}):
        statistics = [
            metric.prepare(truth[rows], (predictions if metric.reads_probabilities else decided)[rows])
            for metric, truth in measured
        ]
        n = len(rows)
        values = [float(statistic(np.ones((1, n)))[0]) for statistic in statistics]
        intervals = _intervals(statistics, n, bootstrap, seed)
        for metric, value, (low, high) in zip(against, values, intervals, strict=True):
            if math.isnan(value):  # of answers that were not given
                continue
            records.append(
                Record(
                    split=split,
                    subset=subset,
                    model=model,
                    task=task.name,
                    metric=metric,
                    value=value,
                    low=low,
                    high=high,
                    n=n,
                )
            )
    return records


def mean_records(
    values: Mapping[str, npt.NDArray[np.float64]],
    *,
    split: str,
    model: str,
    task: str,
    bootstrap: int = 0,
    seed: int = 0,
) -> list[Record]:
    """Return the means of values over all rows, with intervals; see `score_task`.

    Args:
        values: by metric the value of each row, shape (n,).
        split, model, task: for the records.
        bootstrap: resamples behind an interval; 0 leaves the intervals out.
        seed: seed of the resamples.
    """
    if not values:
        return []
    (n,) = {len(column) for column in values.values()}
    # Bound at once, as functions made in a loop are not.
    statistics = [partial(_mean, column) for column in values.values()]
    intervals = _intervals(statistics, n, bootstrap, seed)
    return [
        make_record(split, model, task, metric, Estimate(float(column.mean()), low, high), n)
        for (metric, column), (low, high) in zip(values.items(), intervals, strict=True)
    ]


def make_record(split: str, model: str, task: str, metric: str, found: Estimate, n: int) -> Record:
    """Return a record of all rows of a split."""
    value, low, high = found
    return Record(
        split=split, subset="all", model=model, task=task, metric=metric, value=value, low=low, high=high, n=n
    )


def _mean(values: Floats, counts: Floats) -> Floats:
    return np.asarray(counts @ values / counts.sum(axis=1))


def _check(task: Task, predictions: npt.NDArray[Any], gold: npt.NDArray[Any], split: str) -> None:
    if len(gold) == 0 or predictions.ndim != task.prediction_dims or predictions.shape[0] != len(gold):
        raise ValueError(f"task '{task.name}': predictions have shape {predictions.shape} for {len(gold)} labels")
    if predictions.dtype != object and not np.isfinite(predictions).all():
        raise ModelError(
            f"task '{task.name}', {split}: found a prediction that is NaN or infinite, expected finite "
            "numbers; the model's weights are damaged or training diverged (try a lower learning rate)."
        )


def _select(n: int, subsets: Mapping[str, npt.NDArray[Any]]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    yield "all", np.arange(n)
    for column, values in subsets.items():
        if len(values) != n:
            raise ValueError(f"subset column '{column}' has {len(values)} values for {n} labels")
        counts = Counter(str(value) for value in values if value is not None)
        frequent = sorted(counts, key=lambda value: (-counts[value], value))[:_MAX_SUBSETS]
        for value in sorted(value for value in frequent if counts[value] >= 2):
            yield (
                f"{column}={value}",
                np.flatnonzero([other is not None and str(other) == value for other in values]),
            )


def _intervals(
    statistics: Sequence[Statistic], n: int, bootstrap: int, seed: int
) -> list[tuple[float | None, float | None]]:
    if bootstrap == 0:
        return [(None, None)] * len(statistics)
    samples: list[list[Floats]] = [[] for _ in statistics]
    generator = np.random.default_rng(seed)
    drawn = 0
    while drawn < bootstrap:
        size = min(max(1, _CHUNK // n), bootstrap - drawn)
        counts = _draw_counts(generator, size, n)
        for sample, statistic in zip(samples, statistics, strict=True):
            sample.append(statistic(counts))
        drawn += size
    quantiles = [np.quantile(np.concatenate(sample), (0.025, 0.975)) for sample in samples]
    return [(float(low), float(high)) for low, high in quantiles]


def _draw_counts(generator: np.random.Generator, size: int, n: int) -> Floats:
    """Draw n of n rows with replacement, `size` times; return how often each row came, (size, n)."""
    rows = generator.integers(n, size=(size, n)) + np.arange(size)[:, None] * n
    return np.bincount(rows.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
