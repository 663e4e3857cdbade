"""Answers for a Ray dataset, on one machine or a cluster; needs the extra `equipoise[ray]`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.errors import UsageError
from equipoise.predicting import BasePredictor, check_columns
from equipoise.streaming import ArrowWriter, LocalEngine, TableColumns, find_answer_columns, infer_schema_columns

if TYPE_CHECKING:
    import pyarrow
    import ray.data

_WINDOW = 4096


def predict(
    dataset: "ray.data.Dataset",
    model: str | Path,
    *,
    pair: str | None = None,
    tasks: str | Sequence[str] | None = None,
    batch_size: int = 64,
    workers: int = 1,
    **resources: Any,
) -> "ray.data.Dataset":
    """Answer for the rows of a Ray dataset.

    Args:
        dataset: rows with the columns that the tasks read.
        model: the folder of a model or a run, at the same place on every machine.
        pair: second text for the tasks that read one, for all rows.
        tasks: names of the tasks to answer for; by default all but the auxiliary ones.
        batch_size: texts in a batch.
        workers: actors, each with a model of its own.
        resources: `num_cpus` and `num_gpus` of an actor, and what else `ray.data.Dataset.map_batches` takes.

    Returns:
        The rows with the columns of a table of answers (see docs/predict.md): those of the dataset, `TASK.KEY`, and
        `error`, which says why a row has no answer.

    Raises:
        UsageError: there are no workers. Other errors, such as a model that is not there, come as Ray raises them when
            the rows are asked for.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise UsageError(f"workers: found {workers!r}, expected 1 or more.")
    options = {"pair": pair, "tasks": tasks, "batch_size": batch_size}
    return dataset.map_batches(
        _Actor,
        fn_constructor_args=(str(Path(model).absolute()), options),
        concurrency=workers,
        batch_size=_WINDOW,
        batch_format="pyarrow",
        **resources,
    )


class _Actor:
    """A model in a process of Ray's.

    Args:
        model: the folder of a model.
        options: `pair`, `tasks` and `batch_size` of `BasePredictor.predict`.
    """

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        from equipoise.modeling import load

        self._predictor: BasePredictor = load(model)
        self._options = options
        self._view = LocalEngine(self._predictor, options).describe(sample=True)

    def __call__(self, rows: "pyarrow.Table") -> "pyarrow.Table":
        """Answer for some rows."""
        import pyarrow

        assert self._view.sample is not None  # asked for
        check_columns(rows.column_names, "the dataset", self._options["pair"], self._view.readers)
        answers = find_answer_columns(self._view.sample, self._view.tasks)
        columns = TableColumns(infer_schema_columns(rows.schema.names, answers), answers, self._view.tasks)
        found = self._predictor.predict(rows.to_pylist(), **self._options, errors="answer")
        return pyarrow.Table.from_batches([ArrowWriter(columns, rows.schema).batch(found)])
