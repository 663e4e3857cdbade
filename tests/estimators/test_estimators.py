"""The estimators: what scikit-learn asks of them, in its searches and pipelines, with a tiny random model."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from corpus import write_corpus
from equipoise.errors import UsageError
from equipoise.sklearn import MultiTaskEstimator, TextClassifier, TextRegressor

SETTINGS = {"max_length": 32, "train.evaluations": 1, "train.head_learning_rate": 1e-2, "evaluation.bootstrap": 100}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return pd.read_csv(write_corpus(tmp_path_factory.mktemp("corpus"), rows=80))


@pytest.fixture(scope="module")
def options(tiny_model):
    return {"model": str(tiny_model), "epochs": 2, "learning_rate": 3e-3, "settings": SETTINGS}


@pytest.fixture(scope="module")
def classifier(corpus, options):
    return TextClassifier(**options).fit(corpus["text"], corpus["label"])


@pytest.fixture(scope="module")
def multi(corpus, options):
    y = corpus[["score", "label"]].copy()
    y["sign"] = (y["score"] > 0).astype(object)
    y.loc[::4, "sign"] = None
    y.loc[::5, "score"] = np.nan
    tasks = {"score": {"kind": "regression", "range": [-1, 1]}}
    return MultiTaskEstimator(tasks=tasks, **options).fit(corpus["text"], y), y


def test_a_classifier_answers_as_scikit_learn_asks(classifier, corpus):
    texts = corpus["text"].tolist()
    probabilities = classifier.predict_proba(texts)
    assert classifier.classes_.tolist() == ["negative", "neutral", "positive"]
    assert probabilities.shape == (80, 3)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    predicted = classifier.predict(texts)
    assert (predicted == classifier.classes_[probabilities.argmax(axis=1)]).all()
    assert classifier.score(texts, corpus["label"]) == pytest.approx((predicted == corpus["label"]).mean())
    answers = [answer["y"]["label"] for answer in classifier.model_.predict(texts)]
    assert predicted.tolist() == answers
    assert classifier.run_.records


def test_classes_stay_what_they_are_in_y(corpus, options):
    names = np.array([" a", "a", ""], dtype=object)
    y = names[np.arange(80) % 3]
    found = TextClassifier(**options).fit(corpus["text"].tolist(), y)
    assert sorted(found.classes_) == sorted(names)
    assert set(found.predict(["a good film"])) <= set(names)


def test_it_does_not_depend_on_when_it_is_fitted(classifier, corpus):
    state = np.random.get_state()[1].copy()
    again = clone(classifier).fit(corpus["text"], corpus["label"])
    assert (np.random.get_state()[1] == state).all()
    texts = ["a good film", "bad food"]
    assert (again.predict_proba(texts) == classifier.predict_proba(texts)).all()


def test_a_copy_in_memory_needs_no_folder(corpus, options):
    found = TextClassifier(**options).fit(corpus["text"], corpus["label"])
    texts = ["a good film", "bad food"]
    expected = found.predict_proba(texts)
    content, folder = pickle.dumps(found), found.run_.folder
    copied = copy.deepcopy(found)
    del found
    assert not folder.exists()
    for one in (pickle.loads(content), copied):
        assert (one.predict_proba(texts) == expected).all()
        assert one.run_.run_score is not None
    assert pickle.loads(pickle.dumps(TextClassifier("x"))).model == "x"


def test_it_is_searched_in_a_pipeline(corpus, options):
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    rates = {"textclassifier__learning_rate": [1e-6, 3e-3]}
    pipeline = make_pipeline(lower, TextClassifier(**options))
    search = GridSearchCV(pipeline, rates, cv=2, scoring="neg_log_loss", error_score="raise")
    search.fit(corpus["text"].tolist(), corpus["label"].tolist())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    assert search.predict(["a GOOD film"]).shape == (1,)


def test_a_regressor_has_scores(corpus, options):
    pairs = corpus[["text", "aspect"]]
    found = TextRegressor(**options).fit(pairs, corpus["score"])
    assert found.predict(pairs).shape == (80,)
    assert found.n_features_in_ == 2
    assert found.feature_names_in_.tolist() == ["text", "aspect"]
    assert np.isfinite(found.score(pairs, corpus["score"]))
    with pytest.raises(ValueError, match="X has no features, but TextRegressor is expecting 2 features"):
        found.predict(corpus["text"])


def test_several_outputs_are_of_one_model(multi, corpus):
    estimator, y = multi
    predicted = estimator.predict(corpus["text"])
    assert predicted.shape == (80, 3)
    assert all(-1 <= value <= 1 for value in predicted[:, 0])
    assert set(predicted[:, 1]) <= {"negative", "neutral", "positive"}
    assert set(predicted[:, 2]) <= {True, False}
    assert estimator.output_names_ == ["score", "label", "sign"]
    scores, labels, signs = estimator.predict_proba(corpus["text"])
    assert scores is None
    assert (labels.shape, signs.shape) == ((80, 3), (80, 2))
    assert estimator.classes_[0] is None
    assert 0 <= estimator.score(corpus["text"], y) <= 1
    assert estimator.score(corpus["text"], y[["sign", "label", "score"]]) == estimator.score(corpus["text"], y)
    model_score = {record["metric"] for record in estimator.run_.records if record["task"] == "score"}
    assert "pearson" in model_score


def test_several_outputs_are_cross_validated(corpus, options):
    y = corpus[["label", "aspect"]].to_numpy()
    y[::3, 1] = None
    y[1::3, 1] = np.where(np.arange(len(y[1::3])) % 2, "one", "two")
    y[2::3, 1] = np.where(np.arange(len(y[2::3])) % 2, "one", "two")
    scores = cross_val_score(MultiTaskEstimator(**options), corpus["text"].tolist(), y, cv=2)
    assert np.isfinite(scores).all()


def test_a_run_is_kept_where_output_says(corpus, options, tmp_path):
    found = TextClassifier(**options, output=tmp_path / "run").fit(corpus["text"], corpus["label"])
    assert (found.run_.folder / "report.html").exists()
    with pytest.raises(ValueError, match="which is not replaced"):
        found.fit(corpus["text"], corpus["label"])


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("one text", [1], "found one text, expected a list"),
        ([], [], r"found 0 sample\(s\)"),
        (["a", 3], [0, 1], "X, row 1: found 3, expected a text"),
        (["a", " "], [0, 1], "X, row 1: found ' '"),
        ([["a", "b", "c"]], [0], "found 3 columns"),
        (["a", "b"], [0], "inconsistent numbers of samples"),
        (["a", "b"], [0, 0], "found 1 class, expected 2"),
        (["a", "b"], None, "requires y to be passed"),
        (["a", "b"], [0.5, 1.5], "Unknown label type"),
        (["a", "b", "c", "d"], [0, 1, 0, 1], "n_samples=4: found too few rows"),
    ],
)
def test_wrong_inputs_are_value_errors(texts, labels, message):
    with pytest.raises(ValueError, match=message):
        TextClassifier("nowhere").fit(texts, labels)


def test_wrong_outputs_are_value_errors(multi, corpus, options):
    estimator, y = multi
    for wrong, message in [
        (corpus["label"], "y: found no table"),
        (y[["label"]], "y: found the outputs"),
        (y.assign(label="unknown"), "y, row 0, output 'label': found class 'unknown'"),
    ]:
        with pytest.raises(ValueError, match=message):
            estimator.score(corpus["text"], wrong)
    with pytest.raises(ValueError, match=r"tasks: found \['stars'\]"):
        MultiTaskEstimator(**options, tasks={"stars": "regression"}).fit(corpus["text"], y)
    with pytest.raises(UsageError, match="unknown key"):
        TextClassifier(**{**options, "settings": {"train.epoch": 1}}).fit(corpus["text"], corpus["label"])


def test_it_says_that_it_is_not_fitted():
    for estimator in (TextClassifier(), TextRegressor(), MultiTaskEstimator()):
        with pytest.raises(NotFittedError):
            estimator.predict(["a"])


def test_scikit_learns_own_checks():
    # They have no texts to fit on: of an estimator of texts they check what needs none.
    for estimator in (TextClassifier(), TextRegressor(), MultiTaskEstimator()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkipTestWarning)
            check_estimator(estimator)
