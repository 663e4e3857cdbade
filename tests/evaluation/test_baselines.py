import numpy as np
import pytest

from equipoise.evaluation import lead, majority, vader
from equipoise.evaluation.baselines import _compound
from equipoise.kinds import Generation, Multilabel, get_metric

TEXTS = ["This is great, I love it!", "It is a table.", "Horrible. I hate this awful thing.", "Quite good."]


def test_majority_class_as_one_hot(polarity):
    assert majority(polarity, [2, 0, 2, 1], 2).tolist() == [[0, 0, 1], [0, 0, 1]]
    assert majority(polarity, [2, 2, 1, 1], 1).tolist() == [[0, 1, 0]]


def test_mean_score(intensity):
    assert majority(intensity, [1.0, 2.0, 6.0], 2).tolist() == [3.0, 3.0]


def test_vader_cuts_at_its_published_points(polarity):
    assert vader(polarity, TEXTS, [], []).argmax(axis=1).tolist() == [2, 1, 0, 2]


def test_vader_cut_points_belong_to_the_outer_classes(polarity, monkeypatch):
    monkeypatch.setattr("equipoise.evaluation.baselines._compound", lambda texts: np.array([-0.05, -0.04, 0.04, 0.05]))
    assert vader(polarity, [""] * 4, [], []).argmax(axis=1).tolist() == [0, 1, 1, 2]


def test_vader_has_no_row_for_other_classifications(polarity):
    assert vader(polarity.replace(from_score=False), TEXTS, TEXTS, [0, 1, 2, 0]) is None
    assert vader(polarity.replace(classes=("low", "high"), thresholds=(0.0,)), TEXTS, [], []) is None


def test_vader_line_reaches_the_users_units_and_keeps_the_correlation(intensity):
    gold = np.array([3.0, 0.5, -3.5, 1.0])
    predictions = vader(intensity, TEXTS, TEXTS, gold)
    compound = _compound(TEXTS)
    slope, intercept = np.polyfit(compound, gold, 1)
    assert slope > 0
    assert predictions == pytest.approx(slope * compound + intercept)
    assert get_metric("pearson")(gold, predictions) == pytest.approx(get_metric("pearson")(gold, compound))


def test_vader_stays_in_the_range_as_the_model_does(intensity):
    gold = np.array([3.0, 0.5, -3.5, 1.0])
    bounds = (-3.0, 0.3)
    predictions = vader(intensity.replace(range=bounds), TEXTS, TEXTS, gold)
    line = vader(intensity.replace(range=None), TEXTS, TEXTS, gold)
    assert line.min() < bounds[0]
    assert line.max() > bounds[1]
    assert predictions.tolist() == np.clip(line, *bounds).tolist()


def test_vader_predicts_the_mean_where_the_slope_is_negative_or_the_compound_constant(intensity):
    assert vader(intensity, TEXTS, TEXTS, [-3.0, 0.0, 3.0, -2.0]) == pytest.approx([-0.5] * 4)
    assert vader(intensity, TEXTS, ["table", "chair"], [1.0, 2.0]) == pytest.approx([1.5] * 4)


def test_vader_fits_a_large_train_split_on_a_fixed_sample(intensity, monkeypatch):
    monkeypatch.setattr("equipoise.kinds.analysis._MAX_FIT_ROWS", 10)
    asked = []

    def compound(texts):
        asked.append(len(texts))
        return np.array([float(text) for text in texts])

    monkeypatch.setattr("equipoise.evaluation.baselines._compound", compound)
    train = [str(i) for i in range(100)]
    labels = 2.0 * np.arange(100) + 1
    assert vader(intensity, ["0.5"], train, labels) == pytest.approx([2.0])
    assert sorted(asked) == [1, 10]


def test_majority_of_labels():
    task = Multilabel("emotions", "s", "text", None, "label", "macro_f1", ("a", "b", "c"))
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=np.int8)
    assert majority(task, labels, 2).tolist() == [[1, 0, 0]] * 2
    assert vader(task, TEXTS, TEXTS, labels) is None


def test_lead_writes_as_many_words_as_the_median_target_has():
    task = Generation("title", "s", "text", None, "title", "rouge_l")
    targets = np.array(["one", "one two", "one two three four"], dtype=object)
    found = lead(task, ["A  fine day", "Word", ""], targets)
    assert found.tolist() == ["A fine", "Word", ""]
    assert lead(task, ["A fine day"], targets[1:]).tolist() == ["A fine day"]
    assert majority(task, targets, 3) is None
    assert vader(task, TEXTS, TEXTS, targets) is None


def test_lead_has_no_row_for_other_kinds(intensity, polarity):
    assert lead(intensity, TEXTS, [0.0, 1.0]) is None
    assert lead(polarity, TEXTS, [0, 1]) is None
