"""An estimator of several outputs."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length

from equipoise.data import is_missing
from equipoise.evaluation import Record, run_score, score_task
from equipoise.keys import name_key
from equipoise.kinds import LabelError, Task, get_kind

from ._base import TextEstimator
from ._inputs import read_table

_VALUES = ("label", "labels", "score", "text")
"""What the answer of a task is called, by its kind."""


class MultiTaskEstimator(TextEstimator):
    """A scikit-learn estimator of several outputs: one language model, its losses kept in balance.

    y has one column for each output; a missing cell (None, NaN, NA) means that the row has no label for it. All rows
    with a label for any output are trained on.

    Args:
        model, epochs, learning_rate, held_out, random_state, settings, output, verbose: see `TextClassifier`; the
            balancer is `settings={"balance": "dao"}`.
        tasks: by column of y its kind, or the run file's keys of the task: `{"stars": {"kind": "regression", "range":
            [1, 5]}}`; a column that is not named is a class (`kind: classification`).

    Attributes:
        output_names_: the outputs, in the order of the columns of y: their names, or "y0", "y1" and so on.
        classes_: for each output its classes, as in y; None where it has none.
        run_, model_, n_features_in_: see `TextClassifier`.

    Example:
        >>> import pandas as pd
        >>> from equipoise.sklearn import MultiTaskEstimator
        >>> texts = [f"{word} film, number {number}" for number, word in enumerate(["good", "bad", "fine"] * 8)]
        >>> y = pd.DataFrame({"stars": [5, 1, 3] * 8, "liked": [True, False, None] * 8})
        >>> estimator = MultiTaskEstimator("minilm", tasks={"stars": "regression"}, epochs=1).fit(texts, y)
        >>> estimator.predict(["good service"]).shape
        (1, 2)
    """

    output_names_: list[str]
    classes_: list[npt.NDArray[Any] | None]

    def __init__(
        self,
        model: str = "minilm",
        *,
        tasks: Mapping[str, Any] | None = None,
        epochs: float = 3.0,
        learning_rate: float = 1e-4,
        held_out: float = 0.1,
        random_state: Any = 0,
        settings: Mapping[str, Any] | None = None,
        output: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            model,
            epochs=epochs,
            learning_rate=learning_rate,
            held_out=held_out,
            random_state=random_state,
            settings=settings,
            output=output,
            verbose=verbose,
        )
        self.tasks = tasks

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train on texts and their outputs.

        Args:
            X: see `TextClassifier.fit`.
            y: the outputs, shape (n, outputs): a DataFrame, an array, or a list of rows.

        Raises:
            ValueError: X holds no texts, y has no columns, or there are too few rows.
            EquipoiseError: the model cannot be loaded, or a setting or a label is wrong.
        """
        found = self._read_texts(X)
        columns = read_outputs(y)
        check_consistent_length(found.texts, *columns.values())
        if unknown := sorted(set(self.tasks or {}) - set(columns)):
            raise ValueError(f"tasks: found {unknown}, expected columns of y: {list(columns)}.")
        stated = {name: self._state_task(name) for name in columns}
        strata = {name: _strata(cells, stated[name]["kind"]) for name, cells in columns.items()}
        self._train(found, columns, stated, strata)
        self.output_names_ = list(columns)
        self.classes_ = [_as_given(self._tasks[name].class_names, cells) for name, cells in columns.items()]
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the outputs of each text, shape (n, outputs), objects: classes as in y, or scores."""
        predictions = self._predict(X)
        columns = [
            [self._value(place, predictions[name][row]) for row in range(len(predictions[name]))]
            for place, name in enumerate(self.output_names_)
        ]
        found = np.empty((len(columns[0]), len(columns)), dtype=object)
        for place, column in enumerate(columns):
            found[:, place] = column
        return found

    def predict_proba(self, X: Any) -> list[npt.NDArray[np.float64] | None]:
        """Return for each output the calibrated probabilities of its classes, (n, classes); None where it has none."""
        predictions = self._predict(X)
        return [self._read_probabilities(name, predictions[name]) for name in self.output_names_]

    def score(self, X: Any, y: Any) -> float:
        """Return the run score: the mean over outputs of their primary metrics, none below 0 (macro-F1, Pearson, …).

        Args:
            X: the texts.
            y: their outputs, as at `fit`; rows without a label for an output do not count for it.

        Raises:
            ValueError: a label is none of the output's, or an output has no label.
        """
        columns = read_outputs(y, self.output_names_)
        predictions, tasks = self._predict(X), self._tasks
        check_consistent_length(*predictions.values(), *columns.values())
        records: list[Record] = []
        for name, cells in columns.items():
            rows = [row for row, cell in enumerate(cells) if cell is not None]
            if not rows:
                raise ValueError(f"y: found no label for the output {name!r}, expected one or more.")
            gold = np.array([_encode(tasks[name], cells[row], row) for row in rows])
            records += score_task(tasks[name], predictions[name][rows], gold, split="test", model="run")
        return float(run_score(records, tasks))

    def _state_task(self, name: str) -> dict[str, Any]:
        given = (self.tasks or {}).get(name, "classification")
        return {"kind": given} if isinstance(given, str) else {"kind": "classification", **given}

    def _value(self, place: int, prediction: Any) -> Any:
        """Return one output of one text, its class as in y."""
        task, classes = self._tasks[self.output_names_[place]], self.classes_[place]
        answer = task.answer(prediction)
        value = next(answer[key] for key in _VALUES if key in answer)
        if classes is None or not isinstance(value, str):
            return value
        return classes[task.class_names.index(value)]


def read_outputs(y: Any, names: list[str] | None = None) -> dict[str, list[Any]]:
    """Return the columns of y by name, None for each missing cell.

    Args:
        y: a DataFrame, an array of two dimensions, or a list of rows.
        names: the names at `fit`; where y has names, too, its columns are found by them.

    Raises:
        ValueError: y has another shape.
    """
    if (table := read_table(y)) is not None:
        columns = dict(zip(*table, strict=True))
    else:
        rows = y.tolist() if hasattr(y, "tolist") else list(y) if y is not None else []
        if not rows or not all(isinstance(row, list | tuple) and len(row) == len(rows[0]) > 0 for row in rows):
            raise ValueError(
                "y: found no table, expected one column for each output: a DataFrame, an array of shape (n, outputs), "
                "or a list of rows; for one output take TextClassifier or TextRegressor."
            )
        given = names if names is not None and len(names) == len(rows[0]) else [f"y{n}" for n in range(len(rows[0]))]
        columns = dict(zip(given, map(list, zip(*rows, strict=True)), strict=True))
    if names is not None and set(columns) != set(names):
        raise ValueError(f"y: found the outputs {list(columns)}, expected {names}.")
    return {name: [None if is_missing(cell) else cell for cell in columns[name]] for name in names or columns}


def _strata(cells: list[Any], kind: str) -> list[Any]:
    """Return the class of each cell that train must keep; for other outputs whether there is a label."""
    has_classes = get_kind(kind).task.label_statistics == "classification"
    return [None if cell is None else str(cell) if has_classes else 0 for cell in cells]


def _as_given(names: Sequence[str], cells: list[Any]) -> npt.NDArray[Any] | None:
    """Return classes as they are in y, in the order of the model; None where the output has none."""
    if not names:
        return None
    originals = {name_key(str(cell)): cell for cell in reversed(cells) if _is_name(cell)}
    found = np.empty(len(names), dtype=object)
    found[:] = [originals.get(name_key(name), name) for name in names]
    return found


def _is_name(cell: Any) -> bool:
    return cell is not None and not isinstance(cell, list | tuple | set | np.ndarray)


def _encode(task: Task, cell: Any, row: int) -> Any:
    try:
        return task.encode(task.parse(cell))
    except LabelError as error:
        raise ValueError(f"y, row {row}, output {task.name!r}: {error}.") from None
