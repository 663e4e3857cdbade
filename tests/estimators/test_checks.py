"""Scikit-learn's checks of estimators of numbers, on rows of numbers that are written as texts."""

from sklearn.utils.validation import check_array

from equipoise.sklearn._inputs import Texts

SETTINGS = {"max_length": 16, "train.batch_size": 64, "train.evaluations": 1, "evaluation.bootstrap": 100}


class Rows:
    """Reads rows of numbers, as the checks have them, as texts."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        return tags

    def _read_texts(self, X):
        names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
        rows = check_array(X, estimator=self)
        return Texts([" ".join(f"{value:.3g}" for value in row) for row in rows], None, rows.shape[1], names)
