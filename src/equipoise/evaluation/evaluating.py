"""Scoring a trained model on a run file's data."""

import sys
from collections.abc import Sequence
from pathlib import Path

from equipoise.config import RunConfig, load_config
from equipoise.data import load_table
from equipoise.errors import UsageError, did_you_mean
from equipoise.modeling import Predictor, infer_texts, load
from equipoise.predicting import check_prompts
from equipoise.terminal import note

from .prompting import check_prompted, score_prompted
from .records import Record
from .splits import score_split
from .trust import score_trust


def evaluate(
    model: str | Path | Predictor,
    run_file: str | Path | RunConfig,
    overrides: Sequence[str] = (),
    *,
    split: str = "test",
    prompts: int = 1,
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
        prompts: over how many templates the answers of tasks in the format `prompt` are averaged (see
            `infer_texts`); prompted baselines take the first.

    Raises:
        UsageError: the split does not exist, the run file has a task that the model has not, or a task has fewer
            templates.
        DataError: a file or a label is wrong.
        ModelError: there is no such model.

    Examples:
        >>> import equipoise
        >>> records = equipoise.evaluate("runs/reviews", "reviews.yaml")
        >>> sorted({record["task"] for record in records})
        ['stars', 'topic']
        >>> records[0]["split"]
        'test'
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    predictor = model if isinstance(model, Predictor) else load(model)
    table = load_table(config, fitted=predictor.tasks)
    for difference in _differences(config, predictor):
        note(difference)
    if split not in table.splits:
        raise UsageError(f"split: '{split}' does not exist. {did_you_mean(split, table.splits)}")
    check_prompted(predictor.model, table, config)
    check_prompts(prompts, table.scored)
    wanted = {name: table.rows(name, split) for name in table.scored}
    size, label = config.train.eval_batch_size, f"Scoring {split}"
    predictions = infer_texts(predictor.model, table.splits[split], wanted, size, prompts=prompts, label=label)
    of_prompted, notes = score_prompted(predictor.model, table, config, [split])
    for text in notes:
        print(text, file=sys.stderr)
    records = score_split(predictions, table, split, config)
    if split != "dev":  # which the model is calibrated on
        resamples, seed = config.evaluation.bootstrap, config.train.seed
        records += score_trust(predictions, table, split, bootstrap=resamples, seed=seed)
    return records + of_prompted


def _differences(config: RunConfig, predictor: Predictor) -> list[str]:
    """Say what the run file states of the model and the model has otherwise."""
    model = predictor.model
    own = {"model": model.base, "max_length": model.max_length, "long_texts": model.long_texts}
    stated = {key: getattr(config, key) for key in own if key in config.model_fields_set}
    own["model"] = model.base or stated.get("model")
    return [
        f"{key}: found {value}, the model has {own[key]}; it is scored as it was trained."
        for key, value in stated.items()
        if value != own[key]
    ]
