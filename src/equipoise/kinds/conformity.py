"""Split conformal prediction: sets and intervals that hold the truth as often as they say; free of torch.

How badly each dev row's truth conforms to the model's prediction is kept, sorted. A set holds what conforms as well as
the share `level` of these rows (Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2021, arXiv 2107.07511). Sets
of classes are by LAC (Sadinle, Lei and Wasserman 2019) or APS (Romano, Sesia and Candès 2020, arXiv 2006.02544),
intervals by the absolute error. The library MAPIE gives the same, which a test checks; a model is used without it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_EPSILON = 1e-9
_MOST = 1000
_MOST_OF_MANY = 300
_MANY = 4


@dataclass(frozen=True)
class Conformity:
    """How dev rows conform to a model's predictions.

    Args:
        rows: how many dev rows.
        scores: by method one text for each distribution (one; of labels one a label): its scores, ascending, between
            blanks. Of many rows about evenly spaced ones are kept, always the largest.
    """

    rows: int
    scores: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, scores: Mapping[str, Floats]) -> "Conformity":
        """Keep the scores of dev rows.

        Args:
            scores: by method, shape (rows, distributions).
        """
        rows = len(next(iter(scores.values())))
        kept = {
            method: tuple(
                " ".join(f"{value:.9g}" for value in np.sort(column)[_ranks(rows, values.shape[1]) - 1])
                for column in values.T
            )
            for method, values in scores.items()
        }
        return cls(rows, kept)

    @property
    def highest_level(self) -> float:
        """The highest level that there are enough rows for."""
        return self.rows / (self.rows + 1)

    def bounds(self, method: str, level: float) -> Floats | None:
        """Return up to which score the truth conforms with a probability of `level`, shape (distributions,).

        It is the ⌈(n + 1) · level⌉-th smallest of n scores; None where there are fewer.
        """
        rank = math.ceil(round((self.rows + 1) * level, 9))
        if rank > self.rows:
            return None
        place = int(np.searchsorted(_ranks(self.rows, len(self.scores[method])), rank))
        return np.array([float(column.split()[place]) for column in self.scores[method]])

    def find_problem(self, methods: Sequence[str], distributions: int) -> str:
        """Say what is wrong with one read from a file; "" if nothing is.

        Args:
            methods: those of the task.
            distributions: how many there are.
        """
        expected = len(_ranks(self.rows, distributions)) if self.rows > 0 else -1
        for method in methods:
            columns = self.scores.get(method, ())
            if len(columns) != distributions:
                return f"conformity.scores: found {len(columns)} distributions of {method}, expected {distributions}"
            for column in columns:
                try:
                    values = [float(value) for value in column.split()]
                except ValueError:
                    values = []
                if len(values) != expected or not all(map(math.isfinite, values)) or values != sorted(values):
                    return f"conformity.scores: found no ascending numbers for {method}, expected {expected} of them"
        return ""


def _ranks(rows: int, distributions: int) -> npt.NDArray[np.int64]:
    """Return which of the sorted scores are kept, counted from 1."""
    most = _MOST if distributions <= _MANY else _MOST_OF_MANY
    return np.unique(np.linspace(1, rows, min(rows, most)).round().astype(np.int64))


def lac_scores(probabilities: npt.NDArray[np.floating], gold: npt.NDArray[np.integer]) -> Floats:
    """Return 1 − p(class), shape (n, 1).

    Args:
        probabilities: shape (n, classes).
        gold: class indices, shape (n,).
    """
    return np.asarray(1 - probabilities[np.arange(len(gold)), gold], dtype=np.float64)[:, None]


def lac_sets(probabilities: npt.NDArray[np.floating], bound: float) -> Mask:
    """Return the classes with 1 − p up to a bound, shape (n, classes); a row can have none."""
    return np.asarray(1 - probabilities <= bound + _EPSILON)


def aps_scores(probabilities: npt.NDArray[np.floating], gold: npt.NDArray[np.integer]) -> Floats:
    """Return the probability of all classes down to the true one, less a random share of its own, shape (n, 1).

    Args:
        probabilities: shape (n, classes).
        gold: class indices, shape (n,).
    """
    rows = np.arange(len(gold))
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1, dtype=np.float64)
    place = np.argsort(order, axis=1, kind="stable")[rows, gold]
    # MAPIE draws alike.
    share = np.random.RandomState(0).uniform(size=len(gold))
    return np.asarray(sums[rows, place] - share * probabilities[rows, gold])[:, None]


def aps_sets(probabilities: npt.NDArray[np.floating], bound: float) -> Mask:
    """Return the most probable classes until their probabilities reach a bound, shape (n, classes); one at least."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1, dtype=np.float64)
    before = np.hstack([np.zeros((len(sums), 1)), sums[:, :-1]])
    taken = before < bound - _EPSILON
    taken[:, 0] = True
    return np.asarray(np.take_along_axis(taken, np.argsort(order, axis=1, kind="stable"), axis=1))
