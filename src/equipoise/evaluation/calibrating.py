"""Calibrating a model that is there: a merged one, or one from before there was calibration."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from equipoise.config import RunConfig, load_config
from equipoise.data import load_table
from equipoise.errors import DataError
from equipoise.modeling import find_model, infer_texts, load, save_tasks

from .records import Record
from .splits import UNCALIBRATED, calibrate_predictions, score_predictions, tune_tasks


def calibrate(model: str | Path, run_file: str | Path | RunConfig, overrides: Sequence[str] = ()) -> list[Record]:
    """Calibrate a trained model on the dev split of a run file, and keep the result with it.

    Calibration that the model has is replaced, as are the thresholds of labels and, where the run file says
    `decide: macro_f1`, the weights of classes. Tasks that the run file does not have, or calls auxiliary, stay as they
    are. Only `equipoise.json` is written, whole or not at all; weights stay the same.

    Args:
        model: the folder of a model, or of its run.
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.

    Returns:
        What calibration is there for, on dev: in rows of the model "uncalibrated", and "run" after it.

    Raises:
        UsageError: the run file has a task that the model has not.
        DataError: a file or a label is wrong, or dev is empty.
        ModelError: there is no such model, or it cannot be written.

    Examples:
        >>> import equipoise
        >>> records = equipoise.calibrate("runs/reviews", "reviews.yaml")
        >>> sorted({record["model"] for record in records})
        ['run', 'uncalibrated']
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    folder = find_model(model)
    predictor = load(folder)
    table, opened = load_table(config, fitted=predictor.tasks), config.open_tasks()
    table = replace(table, tasks={name: task.decided_as(opened[name]) for name, task in table.tasks.items()})
    wanted = {name: table.rows(name, "dev") for name in table.scored}
    if empty := [name for name, rows in wanted.items() if not len(rows)]:
        raise DataError(f"task '{empty[0]}': found no dev row, expected some to calibrate on; add a dev file.")
    size = config.train.eval_batch_size
    raw = infer_texts(predictor.model, table.splits["dev"], wanted, size, label="Scoring dev")
    tuned = tune_tasks(raw, table, calibrate=True)
    records = score_predictions(raw, tune_tasks(raw, table), "dev", model=UNCALIBRATED)
    records += score_predictions(calibrate_predictions(raw, tuned), tuned, "dev")
    own = {name: tuned.tasks[name].read_as(predictor.tasks[name]) for name in wanted}
    save_tasks(folder, {**predictor.tasks, **own})
    return [one for one in records if one["metric"] in table.tasks[one["task"]].calibrated_metrics]
