"""What a smaller graph costs: the primary metrics on dev, before and after."""

from dataclasses import dataclass

from equipoise.data import Table
from equipoise.evaluation import score_task
from equipoise.predicting import BasePredictor

_SPLIT = "dev"


@dataclass(frozen=True)
class Loss:
    """What a task loses in int8.

    Args:
        task: its name.
        metric: its primary metric; higher is better.
        rows: labelled rows of dev.
        fp32, int8: the metric before and after.
    """

    task: str
    metric: str
    rows: int
    fp32: float
    int8: float


def score_dev(predictor: BasePredictor, table: Table, batch_size: int) -> dict[str, float]:
    """Return the primary metric on dev of each task that has labels there.

    Args:
        predictor: what predicts.
        table: the data.
        batch_size: texts in a batch.
    """
    dataset = table.splits[_SPLIT]
    texts, pairs = dataset["text"][:], dataset["pair"][:]
    found = {}
    for name, task in table.scored.items():
        rows = table.rows(name, _SPLIT)
        if not len(rows):
            continue
        own = [texts[row] for row in rows], [pairs[row] for row in rows]
        predictions = predictor.infer(*own, [name], batch_size, label=f"Scoring {name} on {_SPLIT}")[name]
        calibrated = task.calibrate(predictions)
        records = score_task(task, calibrated, table.labels(name, _SPLIT), split=_SPLIT, model="run")
        found[name] = next(record["value"] for record in records if record["metric"] == task.metric)
    return found


def compare_scores(fp32: BasePredictor, int8: BasePredictor, table: Table, batch_size: int) -> tuple[Loss, ...]:
    """Return what each task loses."""
    before, after = (score_dev(predictor, table, batch_size) for predictor in (fp32, int8))
    return tuple(
        Loss(name, table.tasks[name].metric, len(table.rows(name, _SPLIT)), value, after[name])
        for name, value in before.items()
    )
