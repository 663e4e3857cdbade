"""Scoring a model, and its baselines, on one split of the table."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.modeling import MultiTaskModel, count_work, infer
from equipoise.progress import progress

from .baselines import PROMPTED, lead, majority, vader
from .records import Record
from .scoring import score_task

Predictions = Mapping[str, npt.NDArray[Any]]
"""Predictions by task: probabilities, shape (n, classes), or scores in the user's units or texts (objects), (n,)."""
UNCALIBRATED = "uncalibrated"
"""What records call the model before calibration."""


def predict_split(
    model: MultiTaskModel, table: Table, rows: Any, split: str, *, batch_size: int, label: str | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Predict for a split, for every task that is not auxiliary.

    Args:
        model: the model.
        table: the table the split belongs to.
        rows: the split's rows, tokenized.
        split: the split's name.
        batch_size: rows in a batch.
        label: what the progress bar says; None shows no bar.

    Returns:
        For each task the predictions, not calibrated, in the order of `table.rows(task, split)`: probabilities, shape
        (n, classes), or scores in the user's units, shape (n,).
    """
    wanted = {name: table.rows(name, split) for name in table.scored}
    with progress(label, count_work(model, wanted), "row") as bar:
        return infer(model, rows, wanted, batch_size, bar)


def score_predictions(
    predictions: Predictions, table: Table, split: str, *, model: str = "run", bootstrap: int = 0, seed: int = 0
) -> list[Record]:
    """Score predictions on a split.

    Args:
        predictions: as `predict_split` returns them.
        table: the table the labels, texts and subsets come from.
        split: the split's name.
        model: "run" or a baseline's name, for the records.
        bootstrap: resamples behind the intervals; 0 leaves intervals and subsets out.
        seed: seed of the resamples.
    """
    records: list[Record] = []
    for name, values in predictions.items():
        records += score_task(
            table.tasks[name],
            values,
            table.labels(name, split),
            split=split,
            model=model,
            texts=_texts(table, name, split) if table.tasks[name].text_metrics else None,
            subsets=_subsets(table, name, split) if bootstrap else None,
            bootstrap=bootstrap,
            seed=seed,
        )
    return records


def tune_tasks(predictions: Predictions, table: Table, *, calibrate: bool = False) -> Table:
    """Return the table with what its tasks choose on dev: calibration, thresholds of labels, weights of classes.

    Args:
        predictions: the predictions on dev, as `predict_split` returns them.
        table: the table.
        calibrate: calibrate them first; else tasks choose by predictions that are not calibrated, and say so.
    """
    tuned = {}
    for name, found in predictions.items():
        task, gold = table.tasks[name], table.labels(name, "dev")
        task = task.calibrated(found, gold) if calibrate else task.without_calibration()
        tuned[name] = task.tune(task.calibrate(found), gold)
    return replace(table, tasks={**table.tasks, **tuned})


def calibrate_predictions(predictions: Predictions, table: Table) -> dict[str, npt.NDArray[Any]]:
    """Return predictions as the tasks of a table calibrate them.

    Args:
        predictions: by task, as `predict_split` returns them.
        table: the table.
    """
    return {name: table.tasks[name].calibrate(found) for name, found in predictions.items()}


def score_baselines(
    names: tuple[str, ...], table: Table, split: str, *, bootstrap: int = 0, seed: int = 0
) -> list[Record]:
    """Score the baselines that need no model on a split.

    Args:
        names: "majority", "vader", "lead"; a baseline that does not apply to a task has no row for it.
        table: the table; the baselines look at its training split.
        split: the split's name.
        bootstrap: resamples behind the intervals; 0 leaves intervals and subsets out.
        seed: seed of the resamples.
    """
    records: list[Record] = []
    for baseline in names:
        predictions = {}
        for name, task in table.scored.items():
            labels = table.labels(name, "train")
            if baseline == "majority":
                predicted = majority(task, labels, len(table.rows(name, split)))
            elif baseline == "lead":
                predicted = lead(task, _texts(table, name, split), labels)
            else:
                predicted = vader(task, _texts(table, name, split), _texts(table, name, "train"), labels)
            if predicted is not None:
                predictions[name] = predicted
        records += score_predictions(predictions, table, split, model=baseline, bootstrap=bootstrap, seed=seed)
    return records


def score_split(predictions: Predictions, table: Table, split: str, config: RunConfig) -> list[Record]:
    """Score a model's predictions and the run's baselines on a split, with intervals and subsets.

    Of a task that is calibrated, what calibration is there for is also scored before it, in rows of the model
    "uncalibrated", without intervals. Prompted baselines are left out: see `score_prompted`.

    Args:
        predictions: as `predict_split` returns them, not calibrated.
        table: the table the labels and subsets come from.
        split: the split's name.
        config: the run file: baselines, resamples, seed.
    """
    resamples, seed = config.evaluation.bootstrap, config.train.seed
    found = calibrate_predictions(predictions, table)
    records = score_predictions(found, table, split, bootstrap=resamples, seed=seed)
    changed = {name: values for name, values in predictions.items() if table.tasks[name].calibration is not None}
    records += [
        record
        for record in score_predictions(changed, table, split, model=UNCALIBRATED)
        if record["metric"] in table.tasks[record["task"]].calibrated_metrics
    ]
    baselines = tuple(name for name in config.evaluation.baselines if name not in PROMPTED)
    return records + score_baselines(baselines, table, split, bootstrap=resamples, seed=seed)


def _texts(table: Table, task: str, split: str) -> list[str]:
    return table.splits[split][table.rows(task, split)]["text"]


def _subsets(table: Table, task: str, split: str) -> dict[str, npt.NDArray[Any]]:
    rows = table.splits[split][table.rows(task, split)]
    return {
        name.removeprefix("subset:"): np.array(values, dtype=object)
        for name, values in rows.items()
        if name.startswith("subset:")
    }
