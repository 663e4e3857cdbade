"""A new task for a trained model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset

from equipoise.config import RunConfig, load_config
from equipoise.data import Table, load_table
from equipoise.errors import DataError, EquipoiseError, ModelError, OutputError, UsageError, list_some
from equipoise.evaluation import Record, predict_split, score_predictions, score_task
from equipoise.kinds import PENALTIES, LinearProbe, Task, make_analysis, make_objective
from equipoise.modeling import MODEL_OUTPUT, MultiTaskModel, encode_texts, load
from equipoise.outputs import check_output
from equipoise.progress import progress
from equipoise.workspace import CONFIG, inputs_of

BEFORE, AFTER = "before", "after"
"""What records call the model before and after tasks were added."""
CROSS_VALIDATION = "cross-validation"
"""What records call the split where a task has no test rows."""
_FOLDS = 10
_PENALTIES = (*PENALTIES, 0.1)

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class AddedTasks:
    """A model with new tasks.

    Args:
        folder: the model's folder.
        added: the names of the new tasks.
        penalties: of each new task's head, chosen by cross-validation.
        records: the scores of the old tasks, of the models "before" and "after", and of the new tasks, "after"; on
            test, or by cross-validation where there is no test.
        tasks: all tasks of the model by name.
        notes: what was dropped, merged or not scored: plain sentences.
    """

    folder: Path
    added: tuple[str, ...]
    penalties: dict[str, float]
    records: list[Record]
    tasks: dict[str, Task]
    notes: list[str]


class _Fitted(NamedTuple):
    """A head for one task: the task, the linear model, and its predictions for rows that it was not fitted to."""

    task: Task
    probe: LinearProbe
    held_out: Labels


def add_task(
    model: str | Path,
    run_file: str | Path | RunConfig,
    output: str | Path,
    overrides: Sequence[str] = (),
    *,
    check: str | Path | RunConfig | None = None,
    overwrite: bool = False,
) -> AddedTasks:
    """Add the tasks of a run file to a trained model, whose backbone and other heads stay as they are.

    A new head is a linear model on standardized features: logistic regression, or ridge regression for scores (a
    linear probe; Alain and Bengio 2016, arXiv 1610.01644). How strongly its weights are drawn to zero is chosen by
    cross-validation, by the task's loss. It is then written into the layers that every head has (our design), exactly.

    Args:
        model: the folder of a trained model, or of its run.
        run_file: path of the run file, or a checked configuration: sources and tasks are read of it, no model and no
            way of training. Rows of train and dev are learnt from. A source with `split: [1, 0, 0]` keeps all of its
            rows for that; its tasks are scored by cross-validation.
        output: the folder to write.
        overrides: `key=value` settings that win over the file.
        check: the run file by whose test rows the old tasks are scored, before and after; by default the
            `config.yaml` of the model's run, if it lies there and its data can be read.
        overwrite: replace the model that lies in the output folder.

    Raises:
        UsageError: a run file is wrong; a task exists already, or is of a kind that reads no features.
        DataError: a file or a label is wrong.
        ModelError: there is no model, or it has no features.
        OutputError: the output folder may not be written.

    Examples:
        >>> import equipoise
        >>> added = equipoise.add_task("runs/reviews", "urgent.yaml", "runs/reviews-urgent")
        >>> sorted(equipoise.load("runs/reviews-urgent").tasks)
        ['stars', 'topic', 'urgent']
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    folder, output = Path(model), Path(output)
    checked = _find_check(folder, check)
    _check_free(output, [("MODEL", folder), *inputs_of(config)], overwrite)
    old = load(folder).model
    _check_tasks(config, old)
    table = load_table(_with_all_rows(config))
    # What is marked auxiliary to keep all of its rows in train is none for the user.
    notes = [note for note in table.notes if "read by auxiliary tasks only" not in note]
    fitted = _fit_all(old, table, config)
    new = old.with_added({name: one.task for name, one in fitted.items()})
    for name, one in fitted.items():
        new.head(name).become_linear(*one.probe.as_layer())
    new.eval().save_pretrained(output)
    written = load(output).model
    records = _score_new(written, table, fitted, config)
    records += _score_old(old, written, checked, notes, is_asked=check is not None)
    penalties = {name: one.probe.penalty for name, one in fitted.items()}
    return AddedTasks(output, tuple(fitted), penalties, records, written.tasks, notes)


def _find_check(folder: Path, check: str | Path | RunConfig | None) -> RunConfig | None:
    if isinstance(check, RunConfig):
        return check
    if check is not None:
        return load_config(check)
    for place in (folder / CONFIG, folder.parent / CONFIG):
        if place.is_file():
            with suppress(EquipoiseError):
                return load_config(place)
    return None


def _check_free(output: Path, read: Sequence[tuple[str, Path]], overwrite: bool) -> None:
    if check_output(output, MODEL_OUTPUT, read) and not overwrite:
        raise OutputError(f"{output}: found a model there; replace it with --overwrite, or choose another folder.")


def _check_tasks(config: RunConfig, model: MultiTaskModel) -> None:
    """Refuse tasks that the model has, that no linear head can answer, and a model without features."""
    if model.prompts is not None or model.features.pooling is None:
        raise ModelError(
            "add-task: the model answers prompts, and has no features that a new head could read; expected a model "
            "whose tasks are all in the format head."
        )
    for name, task in config.open_tasks().items():
        if name in model.tasks:
            raise UsageError(
                f"tasks.{name}: the model has a task of this name already ({list_some(model.tasks)}); expected a new "
                "name; rename the task in the run file."
            )
        if not task.is_probed:
            raise UsageError(
                f"tasks.{name}: found kind {task.kind} in the format {task.format}, which reads no features of texts; "
                "expected classes, labels or scores in the format head; train such a task with `equipoise train`."
            )


def _with_all_rows(config: RunConfig) -> RunConfig:
    """Return the run file with the tasks that are not to be scored on rows of their own marked so, as auxiliary."""
    whole = {
        name
        for name, source in config.sources.items()
        if source.split[0] == 1 and source.dev is None and source.test is None
    }
    tasks = {
        name: task.model_copy(update={"auxiliary": True}) if task.source in whole else task
        for name, task in config.tasks.items()
    }
    return config.model_copy(update={"tasks": tasks})


def _fit_all(model: MultiTaskModel, table: Table, config: RunConfig) -> dict[str, _Fitted]:
    """Fit all new heads; each text is read once."""
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


def _learnt(task: Task) -> tuple[str, ...]:
    return ("train",) if task.auxiliary else ("train", "dev")


def _fit(task: Task, features: Floats, labels: Labels, config: RunConfig) -> _Fitted:
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
    return _Fitted(task.tune(task.calibrate(held_out), labels), probe, held_out)


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


def _score_new(model: MultiTaskModel, table: Table, fitted: Mapping[str, _Fitted], config: RunConfig) -> list[Record]:
    """Score the new tasks on test, or by cross-validation."""
    records: list[Record] = []
    resamples, seed = config.evaluation.bootstrap, config.train.seed
    for name, one in fitted.items():
        if table.tasks[name].auxiliary:
            gold, predictions = table.labels(name, "train"), one.task.calibrate(one.held_out)
            options: dict[str, Any] = {"texts": None, "subsets": None, "bootstrap": resamples, "seed": seed}
            records += score_task(one.task, predictions, gold, split=CROSS_VALIDATION, model=AFTER, **options)
    tested = Table({name: fitted[name].task for name in table.scored}, table.splits, [])
    if tested.tasks:
        records += _score(model, tested, AFTER, config, bootstrap=resamples)
    return records


def _score(model: MultiTaskModel, table: Table, name: str, config: RunConfig, bootstrap: int = 0) -> list[Record]:
    rows, _ = model.encode_rows(table.splits["test"], {task: table.rows(task, "test") for task in table.scored})
    label = f"Scoring test ({name})"
    found = predict_split(model, table, rows, "test", batch_size=config.train.eval_batch_size, label=label)
    calibrated = {task: table.tasks[task].calibrate(values) for task, values in found.items()}
    return score_predictions(calibrated, table, "test", model=name, bootstrap=bootstrap, seed=config.train.seed)


def _score_old(
    old: MultiTaskModel, new: MultiTaskModel, config: RunConfig | None, notes: list[str], *, is_asked: bool
) -> list[Record]:
    """Score the old tasks before and after, where there are data."""
    if config is None:
        notes.append("The old tasks are not scored: there is no run file of theirs beside the model; give --check.")
        return []
    try:
        known = {name: task for name, task in config.tasks.items() if name in old.tasks}
        table = load_table(config.model_copy(update={"tasks": known}), fitted=old.tasks)
    except EquipoiseError as error:
        if is_asked:
            raise
        notes.append(f"The old tasks are not scored: {error}")
        return []
    return [record for name, model in ((BEFORE, old), (AFTER, new)) for record in _score(model, table, name, config)]
