"""Sets, intervals and "unsure": parity with MAPIE, coverage, and what users are told."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from mapie.regression import SplitConformalRegressor
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

import equipoise
from equipoise.errors import ModelError, UsageError
from equipoise.evaluation.trust import area_under_risk
from equipoise.kinds import Classification, Generation, Multilabel, Ordinal, Regression, task_from_dict
from equipoise.kinds.conformity import Conformity
from equipoise.predicting import Trust, make_sets

_PLACE = ("s", "text", None, "label")
_CLASSES = ("bad", "fair", "good")
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


class Echo(ClassifierMixin, BaseEstimator):
    """A model whose inputs are its answers."""

    classes_ = np.arange(3)

    def fit(self, x, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, x):
        return x

    def predict(self, x):
        return x.argmax(axis=1)


class EchoScore(RegressorMixin, BaseEstimator):
    def fit(self, x, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, x):
        return x[:, 0]


def rows(n, seed):
    generator = np.random.default_rng(seed)
    probabilities = softmax(2 * generator.normal(size=(n, 3)), axis=1)
    return probabilities, np.array([generator.choice(3, p=row) for row in probabilities])


def classification(**fields):
    return Classification("polarity", *_PLACE, "macro_f1", classes=_CLASSES, **fields)


@pytest.mark.parametrize("n", [101, 500])
@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_of_classes_are_those_of_mapie(method, n):
    (dev, gold), (asked, _) = rows(n, 0), rows(400, 1)
    scores = {method: classification().score_conformity(method, dev, gold)}
    task = classification().replace(conformity=Conformity.of(scores))
    for level in LEVELS:
        theirs = SplitConformalClassifier(
            Echo(), confidence_level=level, conformity_score=method, prefit=True, random_state=0
        )
        _, sets = theirs.conformalize(dev, gold).predict_set(asked)
        ours = task.make_sets(method, asked, task.conformity.bounds(method, level))
        np.testing.assert_array_equal(ours, sets[:, :, 0])


@pytest.mark.parametrize("n", [101, 500])
def test_intervals_are_those_of_mapie(n):
    generator = np.random.default_rng(0)
    scores, asked = generator.normal(size=(n, 1)), generator.normal(size=(50, 1))
    gold = scores[:, 0] + generator.normal(size=n)
    task = Regression("score", *_PLACE, "pearson")
    task = task.replace(conformity=Conformity.of({"absolute": task.score_conformity("absolute", scores[:, 0], gold)}))
    for level in LEVELS:
        theirs = SplitConformalRegressor(EchoScore(), confidence_level=level, prefit=True)
        _, ends = theirs.conformalize(scores, gold).predict_interval(asked)
        np.testing.assert_allclose(make_sets(task, asked[:, 0], level), ends[:, :, 0], atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.floats(0.01, 0.999), st.integers(0, 1000))
def test_a_bound_is_the_order_statistic_up_to_what_is_kept(n, level, seed):
    scores = np.random.default_rng(seed).random((n, 1))
    found = Conformity.of({"lac": scores})
    assert found.find_problem(["lac"], 1) == ""
    rank = int(np.ceil(round((n + 1) * level, 9)))
    bound = found.bounds("lac", level)
    if rank > n:
        assert bound is None
        assert level > found.highest_level
        return
    exact, later = np.sort(scores[:, 0])[[rank - 1, min(n, rank + n // 900 + 1) - 1]]
    assert exact - 1e-8 <= bound[0] <= later + 1e-8
    if n <= 1000:
        assert bound[0] == pytest.approx(exact, rel=1e-8)


def test_damaged_scores_are_named():
    good = Conformity.of({"lac": np.arange(5.0)[:, None]})
    assert "found 1 distributions of lac, expected 3" in good.find_problem(["lac"], 3)
    assert "found 0 distributions of aps" in good.find_problem(["lac", "aps"], 1)
    for text in ("0 1 2 3", "0 1 2 4 3", "0 1 2 3 nan", "0 1 2 3 x", ""):
        assert "expected 5 of them" in Conformity(5, {"lac": (text,)}).find_problem(["lac"], 1)


def test_conformity_travels_with_the_task():
    probabilities, gold = rows(60, 0)
    task = classification().calibrated(probabilities, gold)
    assert task_from_dict(task.to_dict()) == task
    assert "conformity" not in classification().to_dict()
    assert task.without_calibration().conformity is None


def test_answers_have_what_is_asked_for(trusted):
    model = equipoise.load(trusted.folder)
    texts = ["good great love", "bad film 3", "film phone 77"]
    plain, more = model.predict(texts), model.predict(texts, level=0.9, abstain=0.95)
    for before, after in zip(plain, more, strict=True):
        low, high = after["intensity"]["interval"]
        assert -1 <= low <= after["intensity"]["score"] <= high <= 1
        assert after["intensity"]["score"] == before["intensity"]["score"]
        for name in ("polarity", "stars"):
            found, label = after[name], before[name]["label"]
            assert found["probabilities"] == before[name]["probabilities"]
            if before[name]["probabilities"][label] < 0.95:
                assert (found["label"], found["unsure"], found["best"]) == (None, True, label)
            else:
                assert found["label"] == label
                assert "unsure" not in found
            chances = [before[name]["probabilities"][one] for one in found["set"]]
            assert chances == sorted(chances, reverse=True)
        words = after["words"]
        assert set(words["set"].values()) <= {"yes", "no", "unsure"}
        assert not set(words["labels"]) & set(words.get("unsure", []))
    assert None in {answer["stars"]["label"] for answer in more}
    every = model.predict(texts, level=0.999_999 * 0.99, sets="aps", tasks="polarity")
    assert all(answer["polarity"]["set"] for answer in every)


def test_coverage_on_test_is_as_promised(trusted):
    with np.load(trusted.folder / "predictions.npz", allow_pickle=False) as found:
        for name, task in equipoise.load(trusted.folder).tasks.items():
            gold = found[f"test/{name}/gold"]
            for level in (0.8, 0.9, 0.95):
                covered = task.covers(make_sets(task, found[f"test/{name}"], level), gold).mean()
                # Chance on dev and on test, four deviations wide.
                spread = np.sqrt(level * (1 - level) * (1 / len(gold) + 1 / task.conformity.rows))
                assert covered == pytest.approx(level, abs=4 * spread)


def test_coverage_and_risk_are_in_the_metrics(trusted):
    metrics = {
        (one["task"], one["model"], one["metric"]): one
        for one in trusted.records
        if one["metric"].startswith(("coverage", "set_size", "interval_width", "aurc"))
    }
    assert {one["split"] for one in metrics.values()} == {"test"}
    with np.load(trusted.folder / "predictions.npz", allow_pickle=False) as found:
        for name, task in equipoise.load(trusted.folder).tasks.items():
            sets = make_sets(task, found[f"test/{name}"], 0.9)
            one = metrics[name, "run", "coverage_90"]
            assert one["value"] == pytest.approx(task.covers(sets, found[f"test/{name}/gold"]).mean())
            assert one["low"] <= one["value"] <= one["high"]
            assert metrics[name, "run", f"{task.size_metric}_90"]["value"] == pytest.approx(task.sizes(sets).mean())
            assert ((name, "run", "aurc") in metrics) == task.has_confidence
            assert ((name, "uncalibrated", "aurc") in metrics) == task.has_confidence
    curves = json.loads((trusted.folder / "trust.json").read_text())
    assert curves.keys() == {"polarity", "stars", "words"}
    for curve in curves.values():
        for stage in ("before", "after"):
            assert sum(answers for _, _, answers in curve["reliability"][stage]) > 150
            shares = [share for share, _ in curve["risk"][stage]]
            assert shares == sorted(shares)
            assert shares[-1] == 1


def test_the_area_under_risk_by_hand():
    right = np.array([True, False, True, True])
    # Of the surest 1, 2, 3, 4: 0, 0, 1/3, 1/4 are wrong.
    assert area_under_risk(np.array([0.9, 0.6, 0.8, 0.5]), right) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    # Among equals chance orders: each is wrong by a quarter.
    assert area_under_risk(np.full(4, 0.5), right) == pytest.approx(0.25)


@pytest.mark.parametrize("value", [0, 1, -0.5, 90, True, "0.9", float("nan")])
@pytest.mark.parametrize("key", ["level", "abstain"])
def test_a_level_is_between_0_and_1(trusted, key, value):
    with pytest.raises(UsageError, match=f"{key}: found .*, expected a number between 0 and 1"):
        equipoise.load(trusted.folder).predict("good", **{key: value})


def test_what_a_task_cannot_is_said():
    tasks = {
        "title": Generation("title", *_PLACE, "rouge_l", format="prompt"),
        "score": Regression("score", *_PLACE, "pearson"),
        "polarity": classification(),
    }
    with pytest.raises(UsageError, match="level: the kind generation of task 'title' has no sets or intervals; leave"):
        Trust(level=0.9).check({"title": tasks["title"]}, named=False)
    with pytest.raises(UsageError, match="abstain: the kind regression of task 'score' has no confidence; ask for its"):
        Trust(abstain=0.9).check({"score": tasks["score"]}, named=True)
    with pytest.raises(UsageError, match=r"abstain: the kind generation of task 'title' .* for 'score'"):
        Trust(abstain=0.9).check({"title": tasks["title"], "score": tasks["score"]}, named=False)
    with pytest.raises(ModelError, match="level: task 'score' is not calibrated; run `equipoise calibrate"):
        Trust(level=0.9).check(tasks, named=False)
    with pytest.raises(ModelError, match="abstain: task 'polarity' is not calibrated"):
        Trust(abstain=0.9).check(tasks, named=False)
    with pytest.raises(UsageError, match="sets: found 'raps', expected lac or aps"):
        Trust(level=0.9, sets="raps").check(tasks, named=False)
    with pytest.raises(UsageError, match="sets: found 'aps' and no level, expected one"):
        Trust(sets="aps").check(tasks, named=False)
    calibrated = {"polarity": classification().calibrated(*rows(60, 0)), "title": tasks["title"]}
    Trust(level=0.9, abstain=0.5).check(calibrated, named=False)
    with pytest.raises(UsageError, match="title"):
        Trust(level=0.9).check(calibrated, named=True)


def test_too_few_rows_for_a_level():
    task = classification().calibrated(*rows(40, 0))
    Trust(level=0.975).check({"polarity": task}, named=True)
    with pytest.raises(ModelError, match=r"calibrated on 40 dev rows, enough for 0\.975; .* on 99 rows or more"):
        Trust(level=0.99).check({"polarity": task}, named=True)


def test_sets_of_labels_by_hand():
    task = Multilabel("words", *_PLACE, "macro_f1", classes=("a", "b"), thresholds=(0.5, 0.5))
    predictions = np.array([[0.9, 0.4], [0.45, 0.02]])
    sets = task.make_sets("lac", predictions, np.array([0.2, 0.7]))
    assert [task.describe_set(one, None)["set"] for one in sets] == [
        {"a": "yes", "b": "unsure"},
        {"a": "unsure", "b": "no"},
    ]
    gold = np.array([[1, 0], [1, 1]], dtype=np.int8)
    assert task.covers(sets, gold).tolist() == [1.0, 0.0]
    assert task.sizes(sets).tolist() == [1.5, 0.5]
    answer = task.answer(predictions[0])
    assert task.abstain(answer, predictions[0], 0.7) == {
        "labels": ["a"],
        "unsure": ["b"],
        "probabilities": {"a": 0.9, "b": 0.4},
    }
    assert task.abstain(answer, predictions[0], 0.55) == answer


def test_the_confidence_is_of_what_is_decided():
    task = classification(class_weights=(1.0, 1.0, 9.0))
    prediction = np.array([0.6, 0.2, 0.2])
    found = task.abstain(task.answer(prediction), prediction, 0.5)
    assert (found["label"], found["best"]) == (None, "good")
    stars = Ordinal("stars", *_PLACE, "qwk", classes=_CLASSES)
    between = np.array([0.4, 0.2, 0.4])
    assert stars.confidences(between[None]).tolist() == [0.2]
