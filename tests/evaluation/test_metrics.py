import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics
from sklearn.metrics.pairwise import cosine_similarity

from equipoise.kinds import Classification, Multilabel, Ordinal, get_metric, list_kinds, make_metric

REFERENCE_SCORES = {
    "pearson": lambda gold, scores: stats.pearsonr(gold, scores).statistic,
    "spearman": lambda gold, scores: stats.spearmanr(gold, scores).statistic,
    "cosine": lambda gold, scores: cosine_similarity(gold[None], scores[None])[0, 0],
    "mse": sklearn_metrics.mean_squared_error,
    "mae": sklearn_metrics.mean_absolute_error,
}
REFERENCE_CLASSES = {
    "macro_f1": lambda gold, predicted: sklearn_metrics.f1_score(gold, predicted, average="macro"),
    "accuracy": sklearn_metrics.accuracy_score,
    "macro_recall": sklearn_metrics.balanced_accuracy_score,
}

REFERENCE_RANKS = {
    "qwk": lambda gold, predicted: sklearn_metrics.cohen_kappa_score(gold, predicted, weights="quadratic"),
    "rank_mae": sklearn_metrics.mean_absolute_error,
}

REFERENCE_LABELS = {
    "macro_f1": lambda gold, decided: sklearn_metrics.f1_score(gold, decided, average="macro", zero_division=np.nan),
    "micro_f1": lambda gold, decided: sklearn_metrics.f1_score(gold, decided, average="micro"),
    "jaccard": lambda gold, decided: sklearn_metrics.jaccard_score(gold, decided, average="samples", zero_division=1),
}


def one_hot(predicted, n_classes):
    return np.eye(n_classes)[predicted]


@pytest.mark.parametrize("name", REFERENCE_SCORES)
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_regression_parity_on_the_rows_and_on_resamples(name, offset):
    generator = np.random.default_rng(1)
    gold = np.round(generator.normal(size=60), 1) + offset
    scores = np.round(gold + generator.normal(size=60), 1)
    rows = generator.integers(60, size=(5, 60))
    counts = np.stack([np.bincount(drawn, minlength=60) for drawn in rows]).astype(float)

    assert get_metric(name)(gold, scores) == pytest.approx(REFERENCE_SCORES[name](gold, scores), abs=1e-9)
    expected = [REFERENCE_SCORES[name](gold[drawn], scores[drawn]) for drawn in rows]
    assert get_metric(name).prepare(gold, scores)(counts) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", REFERENCE_CLASSES)
@pytest.mark.parametrize("n_classes", [2, 3, 12])
def test_classification_parity_on_the_rows_and_on_resamples(name, n_classes):
    generator = np.random.default_rng(2)
    gold = generator.integers(n_classes, size=30)
    probabilities = generator.dirichlet(np.ones(n_classes), size=30)
    predicted = probabilities.argmax(axis=1)
    rows = generator.integers(30, size=(5, 30))
    counts = np.stack([np.bincount(drawn, minlength=30) for drawn in rows]).astype(float)

    assert get_metric(name)(gold, probabilities) == pytest.approx(REFERENCE_CLASSES[name](gold, predicted))
    expected = [REFERENCE_CLASSES[name](gold[drawn], predicted[drawn]) for drawn in rows]
    assert get_metric(name).prepare(gold, probabilities)(counts) == pytest.approx(expected)


@pytest.mark.parametrize("name", REFERENCE_RANKS)
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_parity_of_ranks_on_the_rows_and_on_resamples(name, n_classes):
    generator = np.random.default_rng(5)
    gold = generator.integers(n_classes, size=30)
    predicted = np.clip(gold + generator.integers(-1, 2, size=30), 0, n_classes - 1)
    rows = generator.integers(30, size=(5, 30))
    counts = np.stack([np.bincount(drawn, minlength=30) for drawn in rows]).astype(float)

    decided = one_hot(predicted, n_classes)
    assert get_metric(name)(gold, decided) == pytest.approx(REFERENCE_RANKS[name](gold, predicted), abs=1e-12)
    expected = [REFERENCE_RANKS[name](gold[drawn], predicted[drawn]) for drawn in rows]
    assert get_metric(name).prepare(gold, decided)(counts) == pytest.approx(expected, abs=1e-12)


def test_the_weighted_kappa_by_hand():
    gold = [0, 1, 2, 2]
    assert get_metric("qwk")(gold, one_hot(gold, 3)) == 1
    # One of four rows is off by two ranks: 4 / 4, over the mean of all pairs of gold and predictions.
    expected = np.mean([(a - b) ** 2 for a in gold for b in [2, 1, 2, 2]])
    assert get_metric("qwk")(gold, one_hot([2, 1, 2, 2], 3)) == pytest.approx(1 - (4 / 4) / expected)
    assert get_metric("qwk")([0, 2], one_hot([2, 0], 3)) == -1
    assert get_metric("qwk")(gold, one_hot([1] * 4, 3)) == 0
    assert get_metric("qwk")([1, 1], one_hot([1, 1], 3)) == 0
    assert get_metric("rank_mae").items(np.array([0, 2]), one_hot([2, 2], 3)).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("name", REFERENCE_LABELS)
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_multilabel_parity_on_the_rows_and_on_resamples(name, share):
    generator = np.random.default_rng(3)
    gold, decided = (generator.random((2, 30, 5)) < share).astype(np.int8)
    rows = generator.integers(30, size=(5, 30))
    counts = np.stack([np.bincount(drawn, minlength=30) for drawn in rows]).astype(float)

    assert get_metric(name)(gold, decided) == pytest.approx(REFERENCE_LABELS[name](gold, decided))
    expected = [REFERENCE_LABELS[name](gold[drawn], decided[drawn]) for drawn in rows]
    assert get_metric(name).prepare(gold, decided)(counts) == pytest.approx(expected)


COMMON = ("t", "s", "text", None, "label")


@pytest.mark.parametrize(
    ("metric", "classes", "average"), [("f1(b)", ("b",), None), ("mean_f1(d, b)", ("d", "b"), "macro")]
)
@pytest.mark.parametrize("kind", [Classification, Ordinal])
def test_f1_of_named_classes_on_the_rows_and_on_resamples(kind, metric, classes, average):
    task = kind(*COMMON, metric, ("a", "b", "c", "d"), metric_classes=classes)
    generator = np.random.default_rng(6)
    gold, predicted = generator.integers(4, size=(2, 24))
    rows = generator.integers(24, size=(5, 24))
    counts = np.stack([np.bincount(drawn, minlength=24) for drawn in rows]).astype(float)
    numbers = [task.classes.index(name) for name in classes]

    def reference(rows):
        found = sklearn_metrics.f1_score(gold[rows], predicted[rows], labels=numbers, average=average, zero_division=0)
        return float(np.ravel(found)[0])

    made = make_metric(task, metric)
    assert made(gold, one_hot(predicted, 4)) == pytest.approx(reference(np.arange(24)))
    assert made.prepare(gold, one_hot(predicted, 4))(counts) == pytest.approx([reference(drawn) for drawn in rows])
    assert made.higher_is_better
    assert made.label == get_metric(metric).label


def test_f1_of_named_labels():
    task = Multilabel(*COMMON, "mean_f1(c, a)", ("a", "b", "c"), metric_classes=("c", "a"))
    generator = np.random.default_rng(7)
    gold, decided = (generator.random((2, 30, 3)) < 0.4).astype(np.int8)
    expected = sklearn_metrics.f1_score(gold, decided, labels=[2, 0], average="macro")
    assert make_metric(task, "mean_f1(c, a)")(gold, decided) == pytest.approx(expected)
    assert make_metric(task, "jaccard") is get_metric("jaccard")


def test_a_named_class_that_occurs_nowhere_counts_as_0():
    task = Classification(*COMMON, "mean_f1(a, c)", ("a", "b", "c"), metric_classes=("a", "c"))
    assert make_metric(task, task.metric)([0, 1], one_hot([0, 1], 3)) == 0.5
    assert get_metric("macro_f1")([0, 1], one_hot([0, 1], 3)) == 1


def test_a_metric_of_classes_is_known_by_its_name_but_scores_by_the_task_alone():
    metric = get_metric("mean_f1(in favor, (not))")
    assert metric.label == "mean F1 of in favor, (not)"
    with pytest.raises(TypeError, match="ask `make_metric`"):
        metric([0, 1], one_hot([0, 1], 2))
    task = Classification(*COMMON, "f1(b)", ("a", "B"), metric_classes=("b",))
    with pytest.raises(KeyError, match="which the task does not have"):
        make_metric(task, "f1(b)")
    with pytest.raises(KeyError):
        make_metric(task, "f1(a)")


def test_the_mean_of_recall_leaves_out_a_class_without_rows():
    # Recall 1 of the first class, 1/2 of the second; the third is only predicted.
    assert get_metric("macro_recall")([0, 1, 1], one_hot([0, 1, 2], 3)) == 0.75


def test_the_cosine_by_hand():
    assert get_metric("cosine")([1.0, 0.0], [2.0, 2.0]) == pytest.approx(0.5**0.5)
    assert get_metric("cosine")([1.0, -2.0], [0.5, -1.0]) == pytest.approx(1)
    assert get_metric("cosine")([0.0, 0.0], [1.0, 1.0]) == 0
    assert get_metric("cosine")([1e30, 2e30], [1e-30, 2e-30]) == pytest.approx(1)


def test_no_label_anywhere():
    nothing = np.zeros((4, 3), dtype=np.int8)
    assert [get_metric(name)(nothing, nothing) for name in REFERENCE_LABELS] == [0.0, 0.0, 1.0]


def test_the_value_of_a_row_is_what_the_mean_is_of():
    classes, probabilities = np.array([1, 0]), np.array([[0.2, 0.8], [0.4, 0.6]])
    assert get_metric("accuracy").items(classes, probabilities).tolist() == [1.0, 0.0]
    assert get_metric("mse").items(np.array([0.0, 1.0]), np.array([0.5, -1.0])).tolist() == [0.25, 4.0]
    gold, decided = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]]), np.array([[1, 0, 1], [0, 0, 0], [1, 0, 0]])
    assert get_metric("jaccard").items(gold, decided) == pytest.approx([1 / 3, 1, 0])
    assert get_metric("macro_f1").items is get_metric("pearson").items is None


def test_values_by_hand():
    gold, predicted = [0, 0, 1, 1], one_hot([0, 1, 1, 1], 2)
    # Class 0: precision 1, recall 1/2, F1 2/3. Class 1: precision 2/3, recall 1, F1 4/5.
    assert get_metric("macro_f1")(gold, predicted) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert get_metric("accuracy")(gold, predicted) == 0.75
    assert get_metric("mse")([1.0, 2.0], [1.0, 4.0]) == 2.0
    assert get_metric("mae")([1.0, 2.0], [1.0, 4.0]) == 1.0
    assert get_metric("pearson")([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1.0)
    # Ranks 1, 2, 3 against 1, 2.5, 2.5: covariance 1.5 over sqrt(2 * 1.5).
    assert get_metric("spearman")([1.0, 2.0, 9.0], [0.0, 5.0, 5.0]) == pytest.approx(1.5 / 3**0.5)


def test_macro_f1_leaves_out_a_class_that_occurs_nowhere():
    assert get_metric("macro_f1")([0, 1], one_hot([0, 1], 5)) == 1.0


def test_macro_f1_counts_a_class_that_is_only_predicted():
    assert get_metric("macro_f1")([0, 0], one_hot([0, 2], 3)) == pytest.approx((2 / 3 + 0) / 2)


@pytest.mark.parametrize("name", ["pearson", "spearman"])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9])
def test_correlation_with_a_constant_is_zero(name, constant):
    varied, fixed = np.array([0.3, 0.1, 0.7]), np.full(3, constant)
    assert get_metric(name)(varied, fixed) == 0.0
    assert get_metric(name)(fixed, varied) == 0.0


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_correlation_on_a_constant_resample_is_zero(name):
    statistic = get_metric(name).prepare(np.array([0.1, 0.2, 7.3]), np.array([0.5, 0.9, 0.1]))
    assert statistic(np.array([[3.0, 0, 0], [0, 0, 3]])).tolist() == [0.0, 0.0]


def test_direction_of_every_metric():
    metrics = {name: metric for kind in list_kinds().values() for name, metric in kind.metrics_by_name.items()}
    assert [name for name, metric in metrics.items() if not metric.higher_is_better] == [
        *("ece", "brier", "rank_mae", "mse", "mae", "unparsed", "empty", "copied")
    ]


def test_the_calibration_error_by_hand():
    # 0.6 ends a bin, 0.62 and 0.65 share the next one; the first and the last row are right.
    confidence = np.array([0.6, 0.62, 0.65, 1.0])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    gold = np.array([0, 1, 1, 0])
    by_hand = (0.4 + (0.62 + 0.65) + 0.0) / 4
    assert get_metric("ece")(gold, probabilities) == pytest.approx(by_hand)
    assert get_metric("ece").prepare(gold, probabilities)(np.array([[2.0, 0.0, 0.0, 2.0]])) == pytest.approx([0.2])
    assert get_metric("ece")(gold, one_hot([1, 1, 1, 0], 2)) == 0.25
    assert not get_metric("ece").higher_is_better


def test_probabilities_that_say_how_often_they_are_right_are_calibrated():
    generator = np.random.default_rng(4)
    confidence = generator.uniform(0.5, 1.0, 20_000)
    gold = (generator.random(20_000) > confidence).astype(int)
    assert get_metric("ece")(gold, np.stack([confidence, 1 - confidence], axis=1)) < 0.02
    sharper = confidence**0.25
    assert get_metric("ece")(gold, np.stack([sharper, 1 - sharper], axis=1)) > 0.1
