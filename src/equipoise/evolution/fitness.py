"""How good a candidate is, on the rows that the search may see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.data import Table
from equipoise.kinds import Task, make_metric

Indices = npt.NDArray[np.int64]
Predict = Callable[[Mapping[str, Indices]], Mapping[str, npt.NDArray[Any]]]


@dataclass(frozen=True)
class Folds:
    """The rows of some tasks, in the folds by which candidates are scored.

    Args:
        split: the split the rows belong to.
        tasks: the tasks by name, with the thresholds their experts chose.
        gold: for each fold and task the labels.
        rows: for each fold and task the rows' indices in their split.
    """

    split: str
    tasks: Mapping[str, Task]
    gold: tuple[Mapping[str, npt.NDArray[Any]], ...]
    rows: tuple[Mapping[str, Indices], ...]

    @classmethod
    def draw(
        cls,
        table: Table,
        tasks: Mapping[str, Task],
        split: str,
        chosen: Mapping[str, Indices],
        *,
        folds: int,
        seed: int,
    ) -> "Folds":
        """Share rows out among folds, every task alike, in an order drawn by the seed.

        Args:
            table: the table.
            tasks: the tasks.
            split: the split the rows belong to.
            chosen: for each task indices into its labelled rows.
            folds: how many folds.
            seed: of the order.
        """
        generator = np.random.default_rng(seed)
        order = {task: generator.permutation(chosen[task]) for task in tasks}
        labels = {task: table.labels(task, split) for task in tasks}
        places = {task: table.rows(task, split) for task in tasks}
        parts = {task: np.array_split(order[task], folds) for task in tasks}
        return cls(
            split,
            tasks,
            tuple({task: labels[task][parts[task][fold]] for task in tasks} for fold in range(folds)),
            tuple({task: places[task][parts[task][fold]] for task in tasks} for fold in range(folds)),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def count(self, folds: int) -> int:
        """How many labelled rows the first folds have."""
        return sum(len(indices) for fold in self.rows[:folds] for indices in fold.values())

    def score(self, predictions: Sequence[Mapping[str, npt.NDArray[Any]]], first: int = 0) -> dict[str, float]:
        """Return each task's max(0, primary metric) on folds; the mean over tasks is the run score.

        Args:
            predictions: those of each fold, one after the other.
            first: the first heat they belong to.
        """
        folds = range(first, first + len(predictions))
        scores = {}
        for name, task in self.tasks.items():
            answers = np.concatenate([one[name] for one in predictions])
            gold = np.concatenate([self.gold[fold][name] for fold in folds])
            scores[name] = max(0.0, float(make_metric(task, task.metric)(gold, task.decide(answers))))
        return scores


@dataclass(frozen=True)
class Fitness:
    """A candidate's fitness.

    Args:
        tasks: each task's max(0, primary metric) on the rows scored.
        folds: the run score of each fold.
        rows: how many labelled rows were scored.
    """

    tasks: Mapping[str, float]
    folds: tuple[float, ...]
    rows: int

    @property
    def run_score(self) -> float:
        """The mean over tasks."""
        return float(np.mean(list(self.tasks.values())))


def score_by_folds(folds: Folds, predict: Predict, should_continue: Callable[[int, float], bool]) -> Fitness:
    """Score a candidate fold by fold, to the last, or until it is clearly behind and pruned.

    Args:
        folds: the rows.
        predict: predicts for rows of each task.
        should_continue: decides after each fold, from its number and run score, whether to score the next.
    """
    predictions: list[Mapping[str, npt.NDArray[Any]]] = []
    scores: list[float] = []
    for number, rows in enumerate(folds.rows):
        predictions.append(predict(rows))
        scores.append(float(np.mean(list(folds.score(predictions[-1:], number).values()))))
        if not should_continue(number, scores[-1]):
            break
    return Fitness(folds.score(predictions), tuple(scores), folds.count(len(predictions)))
