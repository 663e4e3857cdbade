"""What is added to answers about how far they can be trusted: sets and intervals, and where a task is unsure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.errors import ModelError, UsageError, list_some
from equipoise.kinds import Task

_DEFAULT_SETS = "lac"
_HOW = "run `equipoise calibrate MODEL RUN.yaml`"


@dataclass(frozen=True)
class Trust:
    """What is asked for beside the answers.

    Args:
        level: with which probability sets and intervals hold the truth, between 0 and 1; None makes none.
        sets: the method of sets of classes, "lac" or "aps".
        abstain: the confidence below which an answer is unsure, between 0 and 1; None never.
    """

    level: float | None = None
    sets: str = _DEFAULT_SETS
    abstain: float | None = None

    def check(self, tasks: Mapping[str, Task], named: bool) -> None:
        """Refuse what the tasks cannot answer.

        Args:
            tasks: the tasks to answer for.
            named: whether the user named them; else those that cannot are left as they are.

        Raises:
            UsageError: a number is not between 0 and 1, there are `sets` and no level, or no task, or a named one, has
                sets or confidences.
            ModelError: a task was not calibrated, or on too few rows for the level.
        """
        methods = ("lac", "aps")
        if self.sets not in methods:
            raise UsageError(f"sets: found {self.sets!r}, expected {' or '.join(methods)}.")
        if self.level is None and self.sets != _DEFAULT_SETS:
            raise UsageError(
                f"sets: found {self.sets!r} and no level, expected one, such as 0.9: sets are made at a level."
            )
        for key, value in (("level", self.level), ("abstain", self.abstain)):
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1
            ):
                raise UsageError(f"{key}: found {value!r}, expected a number between 0 and 1, such as 0.9.")
        if self.level is not None:
            with_sets = {name: task for name, task in tasks.items() if task.set_methods}
            _refuse("level", tasks, with_sets, named, "no sets or intervals")
            for name, task in with_sets.items():
                _check_level(name, task, self.level)
        if self.abstain is not None:
            sure = {name: task for name, task in tasks.items() if task.has_confidence}
            _refuse("abstain", tasks, sure, named, "no confidence")
            missing = [name for name, task in sure.items() if not task.is_calibrated]
            # A task that finds too little on dev cannot be calibrated, and has no say over the others.
            if missing and (named or len(missing) == len(sure)):
                raise ModelError(f"abstain: task '{missing[0]}' is not calibrated; {_HOW}.")

    def add(self, task: Task, predictions: npt.NDArray[Any], answers: Sequence[Any]) -> list[Any]:
        """Return answers with what is asked for.

        Args:
            task: the task, checked.
            predictions: calibrated, one for each answer.
            answers: what `Task.answer` returned for them.
        """
        found = list(answers)
        if self.abstain is not None and task.has_confidence and task.is_calibrated:
            found = [task.abstain(one, row, self.abstain) for one, row in zip(found, predictions, strict=True)]
        if self.level is not None and task.set_methods and len(found):
            sets = make_sets(task, predictions, self.level, self.sets)
            said = [task.describe_set(one, row) for one, row in zip(sets, predictions, strict=True)]
            found = [{**one, **more} for one, more in zip(found, said, strict=True)]
        return found


def make_sets(task: Task, predictions: npt.NDArray[Any], level: float, sets: str = _DEFAULT_SETS) -> npt.NDArray[Any]:
    """Return the sets, or the ends of the intervals, of a task; see `Task.make_sets`.

    Args:
        task: the task, calibrated on enough rows.
        predictions: calibrated, n in the first dimension.
        level: with which probability they hold the truth.
        sets: "lac" or "aps"; kinds that do not have it take their own method.
    """
    method = sets if sets in task.set_methods else task.set_methods[0]
    bounds = task.conformity.bounds(method, level) if task.conformity is not None else None
    if bounds is None:
        raise ValueError(f"task '{task.name}' has no sets at {level}; `Trust.check` says why")
    return task.make_sets(method, np.asarray(predictions, dtype=np.float64), bounds)


def _refuse(key: str, tasks: Mapping[str, Task], able: Mapping[str, Task], named: bool, what: str) -> None:
    unable = {name: task for name, task in tasks.items() if name not in able}
    if not unable or (able and not named):
        return
    name, task = next(iter(unable.items()))
    has_sets = key == "abstain" and task.set_methods
    hint = "ask for its interval by `level`" if has_sets else f"leave {key} out, or choose other tasks"
    others = f" (the same holds for {list_some([one for one in unable if one != name])})" if len(unable) > 1 else ""
    raise UsageError(f"{key}: the kind {task.kind} of task '{name}' has {what}{others}; {hint}.")


def _check_level(name: str, task: Task, level: float) -> None:
    if task.conformity is None:
        raise ModelError(f"level: task '{name}' is not calibrated; {_HOW}.")
    if task.conformity.bounds(task.set_methods[0], level) is None:
        rows, most = task.conformity.rows, math.floor(1000 * task.conformity.highest_level) / 1000
        needed = math.ceil(round(level / (1 - level), 6))
        raise ModelError(
            f"level: found {level:g}, but task '{name}' is calibrated on {rows} dev rows, enough for {most:g}; ask for "
            f"that at most, or calibrate on {needed:,} rows or more (`equipoise calibrate`)."
        )
