"""Estimators of one output: a class, or a score."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from equipoise.keys import is_blank, name_key

from ._base import TextEstimator

_TASK = "y"


class TextClassifier(ClassifierMixin, TextEstimator):
    """A scikit-learn classifier of texts: one language model, fine-tuned for one output.

    X is a list (array, Series) of texts, or has two columns: a text, and what it is about. `fit` trains as
    `equipoise.train` does, in a temporary folder that is removed with the estimator, or in `output`. The model, and
    what it was calibrated to, is `model_`; the run is `run_`.

    Args:
        model: a starter's name, a Hugging Face id, or a folder (see `model` of the run file).
        epochs: passes over the training rows.
        learning_rate: the peak learning rate of the language model.
        held_out: the share of the rows that is not trained on: half of it chooses the checkpoint and calibrates, half
            gives the scores of `run_`.
        random_state: seed of training and of the choice of these rows; an int, a `RandomState`, or None for another
            one each time.
        settings: further keys of the run file, such as `{"train.batch_size": 16, "max_length": 64}`.
        output: the run's folder; one that holds a run is refused.
        verbose: show progress on standard error.

    Attributes:
        classes_: the classes, sorted, as in y.
        run_: the run: folder, metrics, run score on its test rows.
        model_: the trained model, an `equipoise.Predictor`.
        n_features_in_: the columns of X, where it has columns.

    Example:
        >>> from equipoise.sklearn import TextClassifier
        >>> texts = ["a good film", "a great phone", "bad food", "an awful plot"] * 5
        >>> texts = [f"{text}, number {number}" for number, text in enumerate(texts)]
        >>> classifier = TextClassifier("minilm", epochs=1).fit(texts, [1, 1, 0, 0] * 5)
        >>> classifier.predict_proba(["good service"]).shape
        (1, 2)
    """

    classes_: npt.NDArray[Any]

    def fit(self, X: Any, y: Any) -> Self:
        """Train on texts and their classes.

        Args:
            X: the texts, shape (n,), (n, 1), or (n, 2) with second texts.
            y: the class of each, shape (n,): texts, numbers or truth values.

        Raises:
            ValueError: X holds no texts, y no classes, or there are too few rows.
            EquipoiseError: the model cannot be loaded, or a setting is wrong.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        found = self._read_texts(X)
        y = column_or_1d(y, warn=True)
        check_consistent_length(found.texts, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: found {len(self.classes_)} class, expected 2 or more.")
        names = name_classes(self.classes_)
        labels = [names[code] for code in codes]
        return self._train(
            found, {_TASK: labels}, {_TASK: {"kind": "classification", "classes": names}}, {_TASK: labels}
        )

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the calibrated probabilities of the classes, shape (n, classes), in the order of `classes_`."""
        probabilities = self._read_probabilities(_TASK, self._predict(X)[_TASK])
        assert probabilities is not None  # of a class there are
        return probabilities

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class of each text, shape (n,), as it is in y."""
        probabilities = self.predict_proba(X)
        decided = np.asarray(self._tasks[_TASK].decide(probabilities))
        return self.classes_[decided.argmax(axis=1)]


class TextRegressor(RegressorMixin, TextEstimator):
    """A scikit-learn regressor of texts: one language model, fine-tuned for one score.

    Args:
        model, epochs, learning_rate, held_out, random_state, settings, output, verbose: see `TextClassifier`.

    Attributes:
        run_, model_, n_features_in_: see `TextClassifier`.

    Example:
        >>> from equipoise.sklearn import TextRegressor
        >>> texts = [f"{word} film, number {number}" for number, word in enumerate(["good", "bad", "fine"] * 8)]
        >>> regressor = TextRegressor("minilm", epochs=1).fit(texts, [5, 1, 3] * 8)
        >>> regressor.predict(["good service", "bad food"]).shape
        (2,)
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on texts and their scores.

        Args:
            X: see `TextClassifier.fit`.
            y: the score of each text, shape (n,).

        Raises:
            ValueError: X holds no texts, y no finite numbers, or there are too few rows.
            EquipoiseError: the model cannot be loaded, or a setting is wrong.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        found = self._read_texts(X)
        y = check_array(column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y")
        check_consistent_length(found.texts, y)
        return self._train(found, {_TASK: y.tolist()}, {_TASK: {"kind": "regression"}}, {_TASK: [0] * len(y)})

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the score of each text, shape (n,)."""
        return np.asarray(self._predict(X)[_TASK], dtype=np.float64)


def name_classes(classes: npt.NDArray[Any]) -> list[str]:
    """Return what classes are called in the run: as in y, or by number where that would not tell them apart."""
    names = [str(one) for one in classes]
    if any(map(is_blank, names)) or len({name_key(name) for name in names}) < len(names):
        return [f"class {number}" for number in range(len(names))]
    return names
