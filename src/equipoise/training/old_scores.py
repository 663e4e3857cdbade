"""Scores of a model's tasks before and after others are added."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset

from equipoise.config import RunConfig
from equipoise.data import Table, load_table
from equipoise.errors import EquipoiseError
from equipoise.evaluation import Record, calibrate_predictions, predict_split, score_predictions, score_task, tune_tasks
from equipoise.kinds import Task
from equipoise.modeling import MultiTaskModel, infer_texts

BEFORE, AFTER = "before", "after"
"""What records call the model before and after tasks were added."""
OLD_ANSWERS = "old answers"
"""What records call the rows where the old model's answers stand in for labels."""


def load_old_table(
    model: MultiTaskModel, config: RunConfig | None, notes: list[str], *, is_asked: bool
) -> Table | None:
    """Return the rows of a model's tasks, None where they are not there.

    Args:
        model: the model.
        config: the run file that names them; None where there is none.
        notes: is told why there are none.
        is_asked: whether the user named the run file, so that it must be readable.

    Raises:
        EquipoiseError: it is asked for, and cannot be read.
    """
    if config is None:
        notes.append(
            "The old tasks are not scored on labels: there is no run file of theirs beside the model; give --check."
        )
        return None
    try:
        known = {name: task for name, task in config.tasks.items() if name in model.tasks}
        return load_table(config.model_copy(update={"tasks": known}), fitted=model.tasks)
    except EquipoiseError as error:
        if is_asked:
            raise
        notes.append(f"The old tasks are not scored on labels: {error}")
        return None


def score_test(model: MultiTaskModel, table: Table, name: str, config: RunConfig, bootstrap: int = 0) -> list[Record]:
    """Score the tasks of a table on test, calibrated as the model's are.

    Args:
        model: the model.
        table: the table.
        name: what records call the model.
        config: the run file: batch size and seed.
        bootstrap: resamples behind the intervals; 0 leaves them out.
    """
    table = replace(table, tasks={task: model.tasks[task].read_as(about) for task, about in table.tasks.items()})
    found = _predict(model, table, "test", config, f"Scoring test ({name})")
    calibrated = calibrate_predictions(found, table)
    return score_predictions(calibrated, table, "test", model=name, bootstrap=bootstrap, seed=config.train.seed)


def recalibrate(
    model: MultiTaskModel, known: Mapping[str, Task], table: Table | None, config: RunConfig | None
) -> dict[str, Task]:
    """Return the old tasks of a model as they suit a backbone that was trained on.

    Where dev rows are there, tasks that were calibrated are so anew, and thresholds are chosen anew. The others keep
    their temperatures and thresholds, since their answers are near the old ones, but not how dev rows conformed to
    these: sets and intervals would not hold what they promise.

    Args:
        model: the model.
        known: the old tasks, as the old model had them.
        table: the rows of some of them.
        config: its run file.
    """
    tasks = {name: task.replace(conformity=None) for name, task in known.items()}
    if table is None or config is None:
        return tasks
    table = replace(table, tasks={name: task for name, task in table.scored.items() if len(table.rows(name, "dev"))})
    raw = _predict(model, table, "dev", config, "Scoring dev of the old tasks")
    for name, found in raw.items():
        one = tune_tasks({name: found}, table, calibrate=known[name].is_calibrated)
        tasks[name] = one.tasks[name].read_as(known[name])
    return tasks


def score_agreement(
    old: MultiTaskModel, new: MultiTaskModel, names: Sequence[str], table: Table, config: RunConfig
) -> list[Record]:
    """Score a new model by the answers of an old one, on the dev and test texts of other tasks.

    Args:
        old: the old model.
        new: the new model.
        names: the old model's tasks to score.
        table: rows that were not learnt from; their labels are not looked at.
        config: the run file: batch size and seed.
    """
    if not names:
        return []
    texts = dict.fromkeys(
        (text, pair)
        for split in ("dev", "test")
        for text, pair in zip(table.splits[split]["text"][:], table.splits[split]["pair"][:], strict=True)
    )
    rows = Dataset.from_dict({"text": [text for text, _ in texts], "pair": [pair for _, pair in texts]})
    wanted = dict.fromkeys(names, np.arange(len(rows)))
    options: dict[str, Any] = {"batch_size": config.train.eval_batch_size}
    found = [infer_texts(model, rows, wanted, label=f"Asking {name}", **options) for name, model in _pair(old, new)]
    records: list[Record] = []
    for name in names:
        before, after = (
            model.tasks[name].calibrate(predictions[name]) for model, predictions in zip((old, new), found, strict=True)
        )
        labels = old.tasks[name].as_labels(before)
        records += score_task(new.tasks[name], after, labels, split=OLD_ANSWERS, model=AFTER)
    return records


def _pair(old: MultiTaskModel, new: MultiTaskModel) -> list[tuple[str, MultiTaskModel]]:
    return [("the old model", old), ("the new model", new)]


def _predict(model: MultiTaskModel, table: Table, split: str, config: RunConfig, label: str) -> dict[str, Any]:
    rows, _ = model.encode_rows(table.splits[split], {task: table.rows(task, split) for task in table.scored})
    return predict_split(model, table, rows, split, batch_size=config.train.eval_batch_size, label=label)
