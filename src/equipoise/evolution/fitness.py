"""How good a candidate is, on the rows that the search may see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.data import Table
from equipoise.kinds import Task, get_metric

Indices = npt.NDArray[np.int64]
Predict = Callable[[Mapping[str, Indices]], Mapping[str, npt.NDArray[Any]]]


@dataclass(frozen=True)
class Heats:
    """The rows of some tasks, in the order in which a race scores them.

    Args:
        split: the split the rows belong to.
        tasks: the tasks by name, with the thresholds their experts chose.
        gold: for each heat and task the labels.
        rows: for each heat and task the rows' indices in their split.
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
        heats: int,
        seed: int,
    ) -> "Heats":
        """Share rows out among heats, every task alike, in an order drawn by the seed.

        Args:
            table: the table.
            tasks: the tasks.
            split: the split the rows belong to.
            chosen: for each task indices into its labelled rows.
            heats: how many heats.
            seed: of the order.
        """
        generator = np.random.default_rng(seed)
        order = {task: generator.permutation(chosen[task]) for task in tasks}
        labels = {task: table.labels(task, split) for task in tasks}
        places = {task: table.rows(task, split) for task in tasks}
        parts = {task: np.array_split(order[task], heats) for task in tasks}
        return cls(
            split,
            tasks,
            tuple({task: labels[task][parts[task][heat]] for task in tasks} for heat in range(heats)),
            tuple({task: places[task][parts[task][heat]] for task in tasks} for heat in range(heats)),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def count(self, heats: int) -> int:
        """How many labelled rows the first heats have."""
        return sum(len(indices) for heat in self.rows[:heats] for indices in heat.values())

    def score(self, found: Sequence[Mapping[str, npt.NDArray[Any]]], first: int = 0) -> dict[str, float]:
        """Return each task's max(0, primary metric) on heats; the mean over tasks is the run score.

        Args:
            found: the predictions of each heat, one after the other.
            first: the first heat they belong to.
        """
        heats = range(first, first + len(found))
        scores = {}
        for name, task in self.tasks.items():
            predictions = np.concatenate([one[name] for one in found])
            gold = np.concatenate([self.gold[heat][name] for heat in heats])
            scores[name] = max(0.0, float(get_metric(task.metric)(gold, task.decide(predictions))))
        return scores


@dataclass(frozen=True)
class Fitness:
    """A candidate's fitness.

    Args:
        tasks: each task's max(0, primary metric) on the rows scored.
        heats: the run score of each heat.
        rows: how many labelled rows were scored.
    """

    tasks: Mapping[str, float]
    heats: tuple[float, ...]
    rows: int

    @property
    def run_score(self) -> float:
        """The mean over tasks."""
        return float(np.mean(list(self.tasks.values())))


def race(heats: Heats, predict: Predict, goes_on: Callable[[int, float], bool]) -> Fitness:
    """Score a candidate heat by heat, until the last or until it is clearly behind.

    Args:
        heats: the rows.
        predict: predicts for rows of each task.
        goes_on: asked after each heat, with its number and run score, whether there shall be another.
    """
    found: list[Mapping[str, npt.NDArray[Any]]] = []
    scores: list[float] = []
    for number, rows in enumerate(heats.rows):
        found.append(predict(rows))
        scores.append(float(np.mean(list(heats.score(found[-1:], number).values()))))
        if not goes_on(number, scores[-1]):
            break
    return Fitness(heats.score(found), tuple(scores), heats.count(len(found)))
