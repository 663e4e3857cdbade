"""What a kind finds remarkable in the parsed labels of a task, before anything is trained."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

_PILE = 0.5
"""Share of the scores from which on they pile up at an end of the range."""
_USED = 0.25
"""Share of the range below which the scores use a small part of it."""
_FAR = 12.0
"""A score stands far from the others from so many robust standard deviations on."""
_FEWEST = 20
"""Fewer labels say nothing about how they are distributed."""


class Remark(NamedTuple):
    """Something remarkable about some labels.

    Args:
        what: "ends": scores pile up at an end of the range; "unused": they use a small part of it; "far": some stand
            far from the others.
        sentence: it in words, with what was found.
        labels: the places of the labels it is about.
    """

    what: Literal["ends", "unused", "far"]
    sentence: str
    labels: npt.NDArray[np.int64]


def remark_scores(scores: npt.NDArray[np.float64], bounds: tuple[float, float] | None) -> list[Remark]:
    """Return what is remarkable about scores (our design).

    Args:
        scores: the scores, shape (labels,).
        bounds: lowest and highest possible score, None where nothing bounds them.
    """
    if len(scores) < _FEWEST:
        return []
    return _remark_range(scores, *bounds) if bounds is not None else _remark_far(scores)


def _remark_range(scores: npt.NDArray[np.float64], low: float, high: float) -> list[Remark]:
    remarks = []
    for bound in (low, high):
        there = np.flatnonzero(scores == bound)
        if len(there) > _PILE * len(scores):
            share = 100 * len(there) / len(scores)
            remarks.append(Remark("ends", f"{share:.0f} % of the scores are {bound:g}, an end of the range", there))
    lowest, highest = float(scores.min()), float(scores.max())
    if highest - lowest < _USED * (high - low):
        found = f"the scores go from {lowest:g} to {highest:g}, in a range from {low:g} to {high:g}"
        remarks.append(Remark("unused", found, np.arange(len(scores))))
    return remarks


def _remark_far(scores: npt.NDArray[np.float64]) -> list[Remark]:
    distances = np.abs(scores - np.median(scores))
    # Of scores most of which are equal, the mean distance tells how far they spread.
    spread = 1.4826 * float(np.median(distances)) or 1.2533 * float(distances.mean())
    far = np.flatnonzero(distances > _FAR * spread)
    if not len(far):
        return []
    rest = np.delete(scores, far)
    named = ", ".join(f"{score:g}" for score in dict.fromkeys(scores[far].tolist()[:3]))
    found = f"scores far from the others: {named}; the others go from {rest.min():g} to {rest.max():g}"
    return [Remark("far", found, far)]


def compare_shares(one: Sequence[Any], other: Sequence[Any], names: Callable[[Any], Iterable[str]]) -> str:
    """Say how the classes of two splits differ, where chance does not explain it; "" where it does (our design).

    Args:
        one, other: parsed labels.
        names: the classes of a label.
    """
    counts = [Counter(name for label in labels for name in names(label)) for labels in (one, other)]
    sizes = [max(1, len(labels)) for labels in (one, other)]
    shares = {name: [count[name] / size for count, size in zip(counts, sizes, strict=True)] for name in counts[0]}
    if not shares:
        return ""
    name, (first, second) = max(shares.items(), key=lambda item: abs(item[1][0] - item[1][1]))
    # Three standard errors, and ten points: a smaller difference changes little.
    expected = 3 * np.sqrt(first * (1 - first) * (1 / sizes[0] + 1 / sizes[1]))
    if abs(first - second) <= max(0.1, float(expected)):
        return ""
    return f"'{name}' is on {100 * first:.0f} % of the rows of one and on {100 * second:.0f} % of the other"


def compare_means(one: Sequence[float], other: Sequence[float]) -> str:
    """Say how the mean scores of two splits differ, where chance does not explain it; "" where it does (our design)."""
    means, spread = [float(np.mean(scores)) for scores in (one, other)], float(np.std(one))
    expected = 3 * spread * np.sqrt(1 / len(one) + 1 / len(other))
    if abs(means[0] - means[1]) <= max(0.3 * spread, float(expected)):
        return ""
    return f"the mean score is {means[0]:.3g} in one and {means[1]:.3g} in the other"
