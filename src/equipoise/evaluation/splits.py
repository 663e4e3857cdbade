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
        For each task the predictions in the order of `table.rows(task, split)`: probabilities, shape
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


def tune_tasks(predictions: Predictions, table: Table) -> Table:
    """Return the table with what its tasks choose on dev: the thresholds of multilabel tasks.

    Args:
        predictions: the predictions on dev, as `predict_split` returns them.
        table: the table.
    """
    tuned = {name: table.tasks[name].tune(of_task, table.labels(name, "dev")) for name, of_task in predictions.items()}
    return replace(table, tasks={**table.tasks, **tuned})


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

    Prompted baselines are left out: see `score_prompted`.

    Args:
        predictions: as `predict_split` returns them.
        table: the table the labels and subsets come from.
        split: the split's name.
        config: the run file: baselines, resamples, seed.
    """
    resamples, seed = config.evaluation.bootstrap, config.train.seed
    records = score_predictions(predictions, table, split, bootstrap=resamples, seed=seed)
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
