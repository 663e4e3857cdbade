"""A new task for a trained model."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.checks import checked_path
from equipoise.config import RunConfig, load_config
from equipoise.data import Table
from equipoise.errors import OVERWRITE, EquipoiseError, OutputError, UsageError, list_some
from equipoise.evaluation import Record
from equipoise.kinds import Task
from equipoise.modeling import MODEL_OUTPUT, MultiTaskModel, load
from equipoise.outputs import check_output
from equipoise.workspace import CONFIG, inputs_of

from .adding_tuned import check_tuned, tune_with
from .linear_heads import check_linear, fit_linear, load_learnt, put_on, score_linear
from .old_scores import AFTER, BEFORE, load_old_table, score_test

_HINT = "give the path of a run file; what it names can also be set by `overrides`"


@dataclass(frozen=True)
class AddedTasks:
    """A model with new tasks.

    Args:
        folder: the model's folder.
        added: the names of the new tasks.
        penalties: with `freeze`, of each new task's head, chosen by cross-validation.
        records: the scores of the old tasks, of the models "before" and "after", and of the new tasks, "after"; on
            test, or by cross-validation where there is no test. Where no labels of the old tasks are there and the
            backbone was trained, their scores are by the old model's answers (split "old answers").
        tasks: all tasks of the model by name.
        notes: what was dropped, merged, kept or not scored: plain sentences.
    """

    folder: Path
    added: tuple[str, ...]
    penalties: dict[str, float]
    records: list[Record]
    tasks: dict[str, Task]
    notes: list[str]


def add_task(
    model: str | Path,
    run_file: str | Path | RunConfig,
    output: str | Path,
    overrides: Sequence[str] = (),
    *,
    freeze: bool = False,
    check: str | Path | RunConfig | None = None,
    overwrite: bool = False,
) -> AddedTasks:
    """Add the tasks of a run file to a trained model.

    By default the whole model is trained on the new rows, while its old heads' answers for their texts are kept near
    those of the old model (learning without forgetting; Li and Hoiem 2016, arXiv 1606.09282). The training lies in
    the folder `OUTPUT-training`, beside the output; where it was stopped, the same call continues it.

    With `freeze` the backbone and the old heads stay as they are. A new head is a linear model on standardized
    features: logistic regression, or ridge regression for scores (a linear probe; Alain and Bengio 2016,
    arXiv 1610.01644). How strongly its weights are drawn to zero is chosen by cross-validation, by the task's loss. It
    is then written into the layers that every head has (our design), exactly.

    Args:
        model: the folder of a trained model, or of its run.
        run_file: path of the run file, or a checked configuration: sources and tasks are read of it, and how to train;
            no model. With `freeze`, rows of train and dev are learnt from, and a source with `split: [1, 0, 0]` keeps
            all of its rows for that; its tasks are scored by cross-validation.
        output: the folder to write.
        overrides: `key=value` settings that win over the file.
        freeze: leave the backbone and the old heads as they are.
        check: the run file by whose test rows the old tasks are scored, before and after; by default the
            `config.yaml` of the model's run, if it lies there and its data can be read.
        overwrite: replace the model that lies in the output folder, and its training.

    Raises:
        StoppedError: the user has stopped the training.
        UsageError: a run file is wrong; a task exists already, or is of a kind that cannot be added so.
        DataError: a file or a label is wrong.
        ModelError: there is no model, or it has no features.
        OutputError: the output folder may not be written.
        TrainingError: the training that lies there has other settings, or a checkpoint is damaged.

    Examples:
        >>> import equipoise
        >>> added = equipoise.add_task("runs/reviews", "urgent.yaml", "runs/reviews-urgent", freeze=True)
        >>> sorted(equipoise.load("runs/reviews-urgent").tasks)
        ['stars', 'topic', 'urgent']
    """
    config = _read_run_file(run_file, overrides)
    folder, output = (
        checked_path(f"add_task(), {name}", value) for name, value in (("model", model), ("output", output))
    )
    checked = _find_check(folder, check)
    _check_free(output, [("MODEL", folder), *inputs_of(config)], overwrite)
    old = load(folder).model
    _check_names(config, old)
    (check_linear if freeze else check_tuned)(config, old)
    notes: list[str] = []
    about = load_old_table(old, checked, notes, is_asked=check is not None)
    if freeze:
        return _add_linear(old, config, output, (about, checked), notes)
    added = tune_with(folder, old, config, output, (about, checked), overwrite=overwrite)
    return AddedTasks(output, tuple(config.tasks), {}, added.records, added.model.tasks, [*added.notes, *notes])


def _read_run_file(run_file: Any, overrides: Sequence[str]) -> RunConfig:
    return (
        run_file
        if isinstance(run_file, RunConfig)
        else load_config(checked_path("add_task(), run_file", run_file, _HINT), overrides)
    )


def _find_check(folder: Path, check: str | Path | RunConfig | None) -> RunConfig | None:
    if check is not None:
        return _read_run_file(check, ())
    for place in (folder / CONFIG, folder.parent / CONFIG):
        if place.is_file():
            with suppress(EquipoiseError):
                return load_config(place)
    return None


def _check_free(output: Path, read: Sequence[tuple[str, Path]], overwrite: bool) -> None:
    if check_output(output, MODEL_OUTPUT, read) and not overwrite:
        raise OutputError(f"{output}: found a model there; replace it with {OVERWRITE}, or choose another folder.")


def _check_names(config: RunConfig, model: MultiTaskModel) -> None:
    for name in config.tasks:
        if name in model.tasks:
            raise UsageError(
                f"tasks.{name}: the model has a task of this name already ({list_some(model.tasks)}); expected a new "
                "name; rename the task in the run file."
            )


def _add_linear(
    old: MultiTaskModel,
    config: RunConfig,
    output: Path,
    known: tuple[Table | None, RunConfig | None],
    notes: list[str],
) -> AddedTasks:
    table = load_learnt(config)
    # What is marked auxiliary to keep all of its rows in train is none for the user.
    said = [note for note in table.notes if "read by auxiliary tasks only" not in note]
    heads = fit_linear(old, table, config)
    put_on(old, heads).save_pretrained(output)
    written = load(output).model
    records = score_linear(written, table, heads, config)
    about, checked = known
    if about is not None and checked is not None:
        before = score_test(old, about, BEFORE, checked)
        # Backbone and heads are the same, and so are all answers.
        records += before + [Record({**record, "model": AFTER}) for record in before]
    penalties = {name: one.probe.penalty for name, one in heads.items()}
    return AddedTasks(output, tuple(heads), penalties, records, written.tasks, [*said, *notes])
