"""Class weights, chosen on dev, by which macro-F1 is higher than by the most probable class (our design)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_TINY = 1e-38
_SWEEPS = 20
_WIDEST = 20.0
_LEAST_GAIN = 1e-9


def choose_weights(probabilities: npt.NDArray[np.floating], gold: npt.NDArray[np.integer]) -> tuple[float, ...]:
    """Choose by what each class's probability is multiplied, so that the macro-F1 of the largest product is highest.

    It is coordinate ascent: class by class the best weight between two at which a row changes sides, of equally good
    ones the nearest to the one before. Weights are from 1/20 to 20.

    Args:
        probabilities: on dev, shape (n, classes).
        gold: the class indices, shape (n,).

    Returns:
        One weight a class; all 1 where none is better.
    """
    logs = np.log(np.maximum(probabilities, _TINY, dtype=np.float64))
    n_classes = logs.shape[1]
    offsets = np.zeros(n_classes)
    best = _mean_f1(np.eye(n_classes)[logs.argmax(axis=1)], np.eye(n_classes)[gold])
    for _ in range(_SWEEPS):
        before = best
        for number in range(n_classes):
            offset, found = _best_offset(logs, gold, offsets, number)
            if found > best + _LEAST_GAIN:
                offsets[number], best = offset, found
        if best <= before:
            break
    return tuple(np.exp(offsets).tolist())


def _best_offset(logs: Floats, gold: npt.NDArray[np.integer], offsets: Floats, number: int) -> tuple[float, float]:
    """Return the best log-weight of one class, the others given, and the macro-F1 by it."""
    n, n_classes = logs.shape
    others = logs + offsets
    others[:, number] = -np.inf
    rival = others.argmax(axis=1)
    # From this log-weight on, a row is of the class.
    bound = others.max(axis=1) - logs[:, number]
    order = np.argsort(bound, kind="stable")
    truth, one = np.eye(n_classes)[gold[order]], np.eye(n_classes)
    given, taken = one[rival[order]], np.broadcast_to(one[number], (n, n_classes))
    # After k rows the class has the first k, the rivals have the rest.
    chosen = given.sum(axis=0) + _running(taken - given)
    hits = (given * truth).sum(axis=0) + _running((taken - given) * truth)
    f1 = _macro(2 * hits, chosen + truth.sum(axis=0))
    edges = np.concatenate([[-np.inf], bound[order], [np.inf]])
    low, high = np.maximum(edges[:-1], -np.log(_WIDEST)), np.minimum(edges[1:], np.log(_WIDEST))
    middles = (low + high) / 2
    f1 = np.where(high > low, f1, -1.0)
    best = np.flatnonzero(f1 >= f1.max() - _LEAST_GAIN)
    nearest = best[np.argmin(np.abs(middles[best] - offsets[number]))]
    return float(middles[nearest]), float(f1[nearest])


def _running(changes: Floats) -> Floats:
    return np.vstack([np.zeros((1, changes.shape[1])), np.cumsum(changes, axis=0)])


def _mean_f1(chosen: Floats, truth: Floats) -> float:
    return float(_macro(2 * (chosen * truth).sum(axis=0)[None], (chosen + truth).sum(axis=0)[None])[0])


def _macro(twice_hits: Floats, occurrences: Floats) -> Floats:
    f1 = twice_hits / np.maximum(occurrences, 1)
    return np.asarray(f1.sum(axis=1) / np.maximum((occurrences > 0).sum(axis=1), 1))
