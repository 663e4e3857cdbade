"""New heads on a backbone that stays as it is: linear, fitted in seconds, also to a handful of rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset

from equipoise.config import RunConfig
from equipoise.data import Table, load_table
from equipoise.errors import DataError, ModelError, UsageError
from equipoise.evaluation import Record, score_task
from equipoise.kinds import PENALTIES, LinearProbe, Task, make_analysis, make_objective
from equipoise.modeling import MultiTaskModel, encode_texts
from equipoise.progress import progress

from .old_scores import AFTER, score_test

CROSS_VALIDATION = "cross-validation"
"""What records call the split where a task has no test rows."""
_FOLDS = 10
_PENALTIES = (*PENALTIES, 0.1)

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class LinearHead:
    """A head for one task: the task, the linear model, and its predictions for rows that it was not fitted to."""

    task: Task
    probe: LinearProbe
    held_out: Labels


def check_linear(config: RunConfig, model: MultiTaskModel) -> None:
    """Refuse tasks that no linear head can answer, and a model without features.

    Raises:
        UsageError, ModelError: there is such a task, or the model is such a one.
    """
    if model.prompts is not None or model.features.pooling is None:
        raise ModelError(
            "add-task: the model answers prompts, and has no features that a linear head could read; expected a model "
            "whose tasks are all in the format head; leave out --freeze to train the model along."
        )
    for name, task in config.open_tasks().items():
        if not task.is_probed:
            raise UsageError(
                f"tasks.{name}: found kind {task.kind} in the format {task.format}, which reads no features of texts; "
                "expected classes, labels or scores in the format head; leave out --freeze to train such a task."
            )


def load_learnt(config: RunConfig) -> Table:
    """Read the rows of new tasks; those that are not to be scored on rows of their own are marked auxiliary."""
    whole = {
        name
        for name, source in config.sources.items()
        if source.split[0] == 1 and source.dev is None and source.test is None
    }
    tasks = {
        name: task.model_copy(update={"auxiliary": True}) if task.source in whole else task
        for name, task in config.tasks.items()
    }
    return load_table(config.model_copy(update={"tasks": tasks}))


def fit_linear(model: MultiTaskModel, table: Table, config: RunConfig) -> dict[str, LinearHead]:
    """Fit a linear head for each task of a table; each text is read once.

    Args:
        model: the model whose features they read.
        table: the rows; those of train and dev are learnt from.
        config: the run file: batch size, seed, whether to calibrate.

    Raises:
        DataError: a task has less than two rows.
    """
    places: dict[tuple[str, str | None], int] = {}
    rows: dict[str, npt.NDArray[np.int64]] = {}
    labels: dict[str, Labels] = {}
    for name, task in table.tasks.items():
        items = [item for split in _learnt(task) for item in table.items(name, split)]
        rows[name] = np.array([places.setdefault((text, pair), len(places)) for text, pair, _ in items])
        labels[name] = np.concatenate([table.labels(name, split) for split in _learnt(task)])
    texts = Dataset.from_dict({"text": [text for text, _ in places], "pair": [pair for _, pair in places]})
    with progress("Reading texts", len(texts), "text") as bar:
        features = encode_texts(model, texts, config.train.eval_batch_size, bar)
    return {name: _fit(task, features[rows[name]], labels[name], config) for name, task in table.tasks.items()}


def put_on(model: MultiTaskModel, heads: dict[str, LinearHead]) -> MultiTaskModel:
    """Return the model with these heads beside its own."""
    new = model.with_added({name: one.task for name, one in heads.items()})
    for name, one in heads.items():
        new.head(name).become_linear(*one.probe.as_layer())
    return new.eval()


def score_linear(model: MultiTaskModel, table: Table, heads: dict[str, LinearHead], config: RunConfig) -> list[Record]:
    """Score new heads on test, or by cross-validation where they have no test rows.

    Args:
        model: the model with these heads.
        table: the rows that they were fitted to, and those of test.
        heads: the heads.
        config: the run file: resamples and seed.
    """
    records: list[Record] = []
    resamples, seed = config.evaluation.bootstrap, config.train.seed
    for name, one in heads.items():
        if table.tasks[name].auxiliary:
            gold, predictions = table.labels(name, "train"), one.task.calibrate(one.held_out)
            options: dict[str, Any] = {"texts": None, "subsets": None, "bootstrap": resamples, "seed": seed}
            records += score_task(one.task, predictions, gold, split=CROSS_VALIDATION, model=AFTER, **options)
    tested = Table({name: heads[name].task for name in table.scored}, table.splits, [])
    if tested.tasks:
        records += score_test(model, tested, AFTER, config, bootstrap=resamples)
    return records


def _learnt(task: Task) -> tuple[str, ...]:
    return ("train",) if task.auxiliary else ("train", "dev")


def _fit(task: Task, features: Floats, labels: Labels, config: RunConfig) -> LinearHead:
    """Fit a head, its penalty chosen by the loss on held-out folds, at a tie the stronger one."""
    if len(labels) < 2:
        raise DataError(f"Task '{task.name}': found {len(labels)} labelled rows, expected 2 or more; give more rows.")
    best, lowest, held_out = _PENALTIES[0], np.inf, np.zeros(0)
    for penalty in _PENALTIES:
        loss, predictions = _cross_validate(task, features, labels, penalty, config.train.seed)
        if loss < lowest:
            best, lowest, held_out = penalty, loss, predictions
    probe = make_analysis(task).make_probe(best).fit(features, labels)
    task = task.replace(auxiliary=config.tasks[task.name].build_task(task.name).auxiliary)
    if config.evaluation.calibrate:
        task = task.calibrated(held_out, labels)
    return LinearHead(task.tune(task.calibrate(held_out), labels), probe, held_out)


def _cross_validate(task: Task, features: Floats, labels: Labels, penalty: float, seed: int) -> tuple[float, Labels]:
    """Return the mean loss of a penalty on held-out rows, and the predictions for them."""
    objective = make_objective(task).eval()
    targets = torch.from_numpy(labels).to(objective.target_type)
    losses = np.empty(len(labels))
    found: Labels | None = None
    for known, held_out in _folds(len(labels), seed):
        probe = make_analysis(task).make_probe(penalty).fit(features[known], labels[known])
        weight, bias = objective.to_outputs(*probe.as_layer())
        outputs = objective.from_layers(torch.from_numpy(features[held_out] @ weight.T + bias).float())
        losses[held_out] = objective.loss(outputs, targets[held_out]).double().numpy()
        predictions = task.clip(objective.predict(outputs).double().numpy())
        if found is None:
            found = np.empty((len(labels), *predictions.shape[1:]))
        found[held_out] = predictions
    assert found is not None
    return float(losses.mean()), found


def _folds(count: int, seed: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    from sklearn.model_selection import KFold

    yield from KFold(min(_FOLDS, count), shuffle=True, random_state=seed).split(np.zeros(count))
