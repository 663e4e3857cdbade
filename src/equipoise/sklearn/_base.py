"""What all estimators share: parameters, training in a folder, predictions, and pickling."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from equipoise.kinds import Task
from equipoise.modeling import Predictor, find_model, load
from equipoise.progress import hide_progress
from equipoise.training import Run, is_run, train

from ._inputs import Texts, hold_out, read_texts

_BATCH = 64
_TEXT, _PAIR = "text", "pair"


class TextEstimator(BaseEstimator):
    """Trains and predicts; the subclasses say what y is.

    Args:
        model, epochs, learning_rate, held_out, random_state, settings, output, verbose: see `TextClassifier`.
    """

    run_: Run
    model_: Predictor

    def __init__(
        self,
        model: str = "minilm",
        *,
        epochs: float = 3.0,
        learning_rate: float = 1e-4,
        held_out: float = 0.1,
        random_state: Any = 0,
        settings: Mapping[str, Any] | None = None,
        output: str | Path | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.held_out = held_out
        self.random_state = random_state
        self.settings = settings
        self.output = output
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags

    def _read_texts(self, X: Any) -> Texts:
        """Read X; see `read_texts`."""
        return read_texts(X)

    def _read_as_fitted(self, X: Any) -> Texts:
        """Read X, which must have as many columns as at `fit`."""
        found, expected = self._read_texts(X), getattr(self, "n_features_in_", None)
        if found.columns != expected:
            raise ValueError(
                f"X has {found.columns or 'no'} features, but {type(self).__name__} is expecting "
                f"{f'{expected} features' if expected else 'a list of texts'} as input."
            )
        return found

    def _train(
        self, found: Texts, labels: Mapping[str, Sequence[Any]], tasks: Mapping[str, dict[str, Any]], strata: Any
    ) -> Self:
        """Train on texts and labels.

        Args:
            found: the texts.
            labels: by task the label of each row, None where it has none.
            tasks: the run file's keys of each task, but for its columns.
            strata: see `hold_out`.
        """
        seed = self._seed()
        rows = hold_out(found.texts, strata, self.held_out, seed)
        columns: dict[str, Sequence[Any]] = {
            _TEXT: found.texts,
            **{f"y:{name}": cells for name, cells in labels.items()},
        }
        if found.pairs is not None:
            columns[_PAIR] = found.pairs
        tables = {
            split: [{name: cells[row] for name, cells in columns.items()} for row in index]
            for split, index in rows.items()
        }
        shared = {"text": _TEXT, "pair": None if found.pairs is None else _PAIR}
        keys: dict[str, Any] = {
            "tasks": {name: {**shared, "label": f"y:{name}", **task} for name, task in tasks.items()},
            "model": self.model,
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "seed": seed,
        }
        with _states_kept(), hide_progress(not self.verbose):
            self.run_ = train(tables, settings=self.settings, output=self._choose_folder(), **keys)
            self.model_ = load(self.run_.folder)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                delattr(self, name)
        if found.columns is not None:
            self.n_features_in_ = found.columns
        if found.names is not None:
            self.feature_names_in_ = np.array(found.names, dtype=object)
        return self

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _choose_folder(self) -> Path:
        if self.output is None:
            # Removed with the estimator, or when it is fitted again.
            self._temporary = tempfile.TemporaryDirectory(prefix="equipoise-")
            return Path(self._temporary.name) / "run"
        folder = Path(self.output)
        if is_run(folder):
            raise ValueError(
                f"output: found a run in {folder}, which is not replaced; remove it, or give another folder."
            )
        return folder

    @property
    def _tasks(self) -> dict[str, Task]:
        check_is_fitted(self, "model_")
        return self.model_.tasks

    def _predict(self, X: Any) -> dict[str, npt.NDArray[Any]]:
        """Return the calibrated predictions of each task."""
        tasks = self._tasks
        found = self._read_as_fitted(X)
        pairs = found.pairs if found.pairs is not None else [None] * len(found.texts)
        with hide_progress(not self.verbose):
            predictions = self.model_.infer(found.texts, pairs, list(tasks), _BATCH)
        return {name: tasks[name].calibrate(values) for name, values in predictions.items()}

    def _read_probabilities(self, task: str, predictions: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
        """Return predictions as probabilities whose rows add up to one in 64 bits; None of a task that has none."""
        if self._tasks[task].prediction_dims != 2:
            return None
        probabilities = np.asarray(predictions, dtype=np.float64)
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def __getstate__(self) -> dict[str, Any]:
        """Return parameters and, of a fitted estimator, the files of its model: a copy needs no folder of this one.

        It serves copies in memory, such as joblib's for its workers. To keep a model, keep its folder: see `output`.
        """
        state = {key: value for key, value in super().__getstate__().items() if key not in ("model_", "_temporary")}
        if hasattr(self, "model_"):
            folder = find_model(self.run_.folder)
            paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            state["_files"] = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop("_files", None)
        super().__setstate__(state)
        if files is not None:
            self._temporary = tempfile.TemporaryDirectory(prefix="equipoise-")
            folder = Path(self._temporary.name)
            for name, content in files.items():
                path = folder / "model" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.run_ = replace(self.run_, folder=folder)
            self.model_ = load(folder)


@contextmanager
def _states_kept() -> Iterator[None]:
    """Leave the random states of Python, numpy and torch as they are: training sets them."""
    states = random.getstate(), np.random.get_state()
    with ExitStack() as held:
        held.enter_context(torch.random.fork_rng())
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
