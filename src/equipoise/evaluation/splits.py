"""Scoring a model, and its rivals, on one split of the table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.config import RunConfig, load_config
from equipoise.data import Table, load_table, tokenise
from equipoise.errors import UsageError, did_you_mean
from equipoise.modeling import MultiTaskModel, Predictor, infer, load
from equipoise.progress import progress

from .baselines import majority, vader
from .records import Record
from .scoring import score_task

Predictions = Mapping[str, npt.NDArray[np.float64]]
"""Predictions by task: probabilities, shape (n, classes), or scores in the user's units, shape (n,)."""


def predict_split(
    model: MultiTaskModel, table: Table, rows: Any, split: str, *, batch_size: int, label: str | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Predict for a split, for every task that is not auxiliary.

    Args:
        model: the model.
        table: the table the split belongs to.
        rows: the split's rows, tokenised.
        split: the split's name.
        batch_size: rows in a batch.
        label: what the progress bar says; None shows no bar.

    Returns:
        For each task the predictions in the order of `table.rows(task, split)`: probabilities, shape
        (n, classes), or scores in the user's units, shape (n,).
    """
    wanted = {name: table.rows(name, split) for name in table.scored}
    with progress(label, len(rows), "row") as bar:
        return infer(model, rows, wanted, batch_size, bar)


def score_predictions(
    predictions: Predictions, table: Table, split: str, *, model: str = "run", bootstrap: int = 0, seed: int = 0
) -> list[Record]:
    """Score predictions on a split.

    Args:
        predictions: as `predict_split` returns them.
        table: the table the labels and subsets come from.
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
            subsets=_subsets(table, name, split) if bootstrap else None,
            bootstrap=bootstrap,
            seed=seed,
        )
    return records


def score_baselines(
    names: tuple[str, ...], table: Table, split: str, *, bootstrap: int = 0, seed: int = 0
) -> list[Record]:
    """Score the rivals that need no training on a split.

    Args:
        names: "majority", "vader"; a rival that does not apply to a task has no row for it.
        table: the table; the rivals look at its training split.
        split: the split's name.
        bootstrap: resamples behind the intervals; 0 leaves intervals and subsets out.
        seed: seed of the resamples.
    """
    records: list[Record] = []
    for rival in names:
        predictions = {}
        for name, task in table.scored.items():
            labels = table.labels(name, "train")
            if rival == "majority":
                predictions[name] = majority(task, labels, len(table.rows(name, split)))
            else:
                found = vader(task, _texts(table, name, split), _texts(table, name, "train"), labels)
                if found is not None:
                    predictions[name] = found
        records += score_predictions(predictions, table, split, model=rival, bootstrap=bootstrap, seed=seed)
    return records


def evaluate(
    model: str | Path | Predictor,
    run_file: str | Path | RunConfig,
    overrides: Sequence[str] = (),
    *,
    split: str = "test",
) -> list[Record]:
    """Score a trained model on the data of a run file.

    The label spaces are the model's own: a class the model does not know is an error. Tasks that the run file
    calls auxiliary are not scored.

    Args:
        model: a loaded model, or the folder of one (or of its run).
        run_file: path of the run file, or a checked configuration; its tasks must be tasks of the
            model.
        overrides: `key=value` settings that win over the file.
        split: "test", "dev" or "train".

    Raises:
        UsageError: the split does not exist, or the run file has a task that the model has not.
        DataError: a file or a label is wrong.
        ModelError: there is no such model.
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    predictor = model if isinstance(model, Predictor) else load(model)
    table = load_table(config, fitted=predictor.tasks)
    if split not in table.splits:
        raise UsageError(f"split: '{split}' does not exist. {did_you_mean(split, table.splits)}")
    rows, _ = tokenise(table.splits[split], predictor.model.tokenizer, predictor.model.max_length)
    size = config.train.eval_batch_size
    predictions = predict_split(predictor.model, table, rows, split, batch_size=size, label=f"Scoring {split}")
    return score_split(predictions, table, split, config)


def score_split(predictions: Predictions, table: Table, split: str, config: RunConfig) -> list[Record]:
    """Score a model's predictions and the run's baselines on a split, with intervals and subsets.

    Args:
        predictions: as `predict_split` returns them.
        table: the table the labels and subsets come from.
        split: the split's name.
        config: the run file: baselines, resamples, seed.
    """
    resamples, seed = config.evaluation.bootstrap, config.train.seed
    records = score_predictions(predictions, table, split, bootstrap=resamples, seed=seed)
    return records + score_baselines(config.evaluation.baselines, table, split, bootstrap=resamples, seed=seed)


def _texts(table: Table, task: str, split: str) -> list[str]:
    return table.splits[split][table.rows(task, split)]["text"]


def _subsets(table: Table, task: str, split: str) -> dict[str, npt.NDArray[Any]]:
    rows = table.splits[split][table.rows(task, split)]
    return {
        name.removeprefix("subset:"): np.array(values, dtype=object)
        for name, values in rows.items()
        if name.startswith("subset:")
    }
